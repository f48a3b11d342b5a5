// Prints each value as Go does. The values' names are the arguments.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"text/template"
)

func written(print func(*bytes.Buffer)) string {
	var out bytes.Buffer
	print(&out)
	return out.String()
}

func encoded(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func page(text, v string) string {
	return written(func(to *bytes.Buffer) {
		htmltemplate.Must(htmltemplate.New("").Parse(text)).Execute(to, v)
	})
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, name := range os.Args[1:] {
		v := os.Getenv(name)
		is := func(printer, text string) {
			fmt.Fprintf(out, "\n=-=-=Go: %s %s=-=-=\n%s", printer, name, text)
		}
		is("%s", v)
		is("%q", fmt.Sprintf("%q", v))
		is("%+q", fmt.Sprintf("%+q", v))
		is("%#v", fmt.Sprintf("%#v", map[string]string{"a": v}))
		is("%+v", fmt.Sprintf("%+v", struct{ A string }{v}))
		is("%x", fmt.Sprintf("%x", v))
		is("%X", fmt.Sprintf("%X", v))
		is("% x", fmt.Sprintf("% x", v))
		is("%v of bytes", fmt.Sprintf("%v", []byte(v)))
		is("strconv.QuoteToGraphic", strconv.QuoteToGraphic(v))
		is("errors", fmt.Errorf("open: %w", errors.New(strconv.Quote(v))).Error())
		is("url.UserPassword", (&url.URL{Scheme: "http", Host: "host", User: url.UserPassword("user", v)}).String())
		is("url.PathEscape", url.PathEscape(v))
		is("url.QueryEscape", url.QueryEscape(v))
		is("url.Values", url.Values{"a": {v}}.Encode())
		is("url.URL: path", (&url.URL{Scheme: "http", Host: "host", Path: "/" + v}).String())
		is("url.URL: fragment", (&url.URL{Scheme: "http", Host: "host", Fragment: v}).String())
		is("json", encoded(v))
		is("json in json", encoded(map[string]string{"a": encoded(map[string]string{"b": v})}))
		is("json, SetEscapeHTML(false)", written(func(to *bytes.Buffer) {
			encoder := json.NewEncoder(to)
			encoder.SetEscapeHTML(false)
			encoder.Encode(map[string]string{"a": v})
		}))
		is("slog: text", written(func(to *bytes.Buffer) {
			slog.New(slog.NewTextHandler(to, nil)).Info("said", "a", v)
		}))
		is("slog: json", written(func(to *bytes.Buffer) {
			slog.New(slog.NewJSONHandler(to, nil)).Info("said", "a", v)
		}))
		is("html.EscapeString", html.EscapeString(v))
		is("html/template", page("<p>{{.}}", v))
		is("html/template: script", page("<script>a = '{{.}}'</script>", v))
		is("html/template: value in a script", page("<script>a = {{.}}</script>", v))
		is("html/template: base64", page("<p>{{.}}", base64.StdEncoding.EncodeToString([]byte(v))))
		is("template.JSEscapeString", template.JSEscapeString(v))
		is("xml.EscapeText", written(func(to *bytes.Buffer) { xml.EscapeText(to, []byte(v)) }))
		is("base64.StdEncoding", base64.StdEncoding.EncodeToString([]byte("user:"+v)))
		is("base64.RawURLEncoding", base64.RawURLEncoding.EncodeToString([]byte(v)))
		is("hex.Dump", hex.Dump([]byte(v)))
	}
}
