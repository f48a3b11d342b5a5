# Prints each value as Python does. The values' names are the arguments.
import ast, base64, csv, html, http.cookies, io, json, logging, os, pprint, shlex, sys, urllib.parse as url
import xml.etree.ElementTree as tree
import xml.sax.saxutils as sax

import yaml

out = sys.stdout.buffer
logged = io.StringIO()
logging.basicConfig(stream=logged, format="%(levelname)s %(message)s", level="INFO")


def log(text):
    logged.seek(0)
    logged.truncate()
    logging.info("%s and %r", text, text)
    return logged.getvalue()


def table(text):
    written = io.StringIO()
    csv.writer(written).writerow(["a", text])
    return written.getvalue()


def cookie(text):
    cookies = http.cookies.SimpleCookie()
    cookies["a"] = text
    return cookies.output()


def raised(text):
    try:
        raise KeyError(text)
    except KeyError as error:
        return repr(error)


PRINTERS = {
    "print": lambda v: v,
    "repr": repr,
    "repr of bytes": lambda v: repr(os.fsencode(v)),
    "repr of repr": lambda v: repr(repr(v)),
    "ascii": ascii,
    "KeyError": raised,
    "json": json.dumps,
    "json, ensure_ascii=False": lambda v: json.dumps(v, ensure_ascii=False),
    "json in json": lambda v: json.dumps({"a": json.dumps({"b": v})}),
    "json in json, ensure_ascii=False": lambda v: json.dumps(
        {"a": json.dumps({"b": v}, ensure_ascii=False)}, ensure_ascii=False
    ),
    "json in json in json": lambda v: json.dumps(
        {"a": json.dumps({"b": json.dumps({"c": v}, ensure_ascii=False)}, ensure_ascii=False)}, ensure_ascii=False
    ),
    "repr of json": lambda v: repr(json.dumps({"b": v})),
    "json of repr": lambda v: json.dumps(repr(v)),
    "base64 of json": lambda v: base64.b64encode(json.dumps({"b": v}).encode()).decode(),
    "quote of b64encode": lambda v: url.quote(base64.b64encode(b"u:" + os.fsencode(v)), safe=""),
    "quote": lambda v: url.quote(os.fsencode(v)),
    "quote, safe=''": lambda v: url.quote(os.fsencode(v), safe=""),
    "quote, safe=' +'": lambda v: url.quote(os.fsencode(v), safe=" +"),
    "quote_plus": lambda v: url.quote_plus(os.fsencode(v)),
    "urlencode": lambda v: url.urlencode({"a": os.fsencode(v)}),
    "quote twice": lambda v: url.quote(url.quote(os.fsencode(v), safe=""), safe=""),
    "quote of json": lambda v: url.quote(json.dumps({"b": v}, ensure_ascii=False).encode(errors="surrogateescape"), safe=""),
    "html.escape": html.escape,
    "html.escape of json": lambda v: html.escape(json.dumps({"b": v}, ensure_ascii=False)),
    "xml escape": sax.escape,
    "xml quoteattr": sax.quoteattr,
    "xml.etree": lambda v: tree.tostring(tree.Element("a", b=v)).decode(),
    "http.cookies": cookie,
    "strip": lambda v: v.strip(),
    "shlex.quote": shlex.quote,
    "logging": log,
    "csv": table,
    "yaml": lambda v: yaml.safe_dump({"a": v}, width=100000),
    "yaml, allow_unicode": lambda v: yaml.safe_dump({"a": v}, width=100000, allow_unicode=True),
    "yaml, literal": lambda v: yaml.safe_dump({"a": v}, width=100000, default_style="|"),
    "yaml, double quotes": lambda v: yaml.safe_dump({"a": v}, width=100000, default_style='"'),
    "yaml, 80 columns": lambda v: yaml.safe_dump({"a": v}),
    "pprint": lambda v: pprint.pformat({"a": v}, width=100000),
    "pprint, 80 columns": lambda v: pprint.pformat({"a": v}),
    "b64encode": lambda v: base64.b64encode(os.fsencode(v)).decode(),
    "encodebytes": lambda v: base64.encodebytes(os.fsencode(v)).decode(),
    "urlsafe_b64encode": lambda v: base64.urlsafe_b64encode(b"u:" + os.fsencode(v)).decode(),
    "hex": lambda v: os.fsencode(v).hex(),
    "hex(':')": lambda v: os.fsencode(v).hex(":"),
    "list of bytes": lambda v: str(list(os.fsencode(v))),
    "reversed": lambda v: v[::-1],
    "colours inside": lambda v: "\x1b[1m".join(v[at : at + 3] for at in range(0, len(v), 3)),
}
for name in sys.argv[1:]:
    value = os.environ[name]
    for printer, printed in PRINTERS.items():
        try:
            text = printed(value)
        except (ValueError, UnicodeError, yaml.YAMLError):
            continue
        out.write(f"\n=-=-=Python: {printer} {name}=-=-=\n".encode() + os.fsencode(text))
out.flush()
