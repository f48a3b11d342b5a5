//! The styles of the programs that are known: `docs/src/mask.md` lists their printers.

use super::styles::Number::{self, Brace, Go, Hex, Keep, Octal, Python, Slash, Unit as Utf16};
use super::styles::{Backslash, LOWER, Style, UPPER};

const fn slash(before: &'static str, letters: &'static str, numbers: [Number; 4]) -> Style {
    with(before, letters, "", numbers)
}

const fn with(
    before: &'static str,
    letters: &'static str,
    also: &'static str,
    numbers: [Number; 4],
) -> Style {
    Style::Backslash(Backslash {
        before,
        letters,
        also,
        numbers,
    })
}

const fn percent(kept: &'static str) -> Style {
    Style::Percent(kept, None, UPPER)
}

const JSON_LETTERS: &str = "b\x08t\tn\nf\x0cr\r";
const FEW_LETTERS: &str = "t\tn\nr\r";
const C_LETTERS: &str = "a\x07b\x08t\tn\nv\x0bf\x0cr\r";
const BASH_LETTERS: &str = "a\x07b\x08t\tn\nv\x0bf\x0cr\rE\x1b";
const PERL_LETTERS: &str = "a\x07b\x08t\tn\nf\x0cr\re\x1b";
const YAML_LETTERS: &str = "0\0a\x07b\x08t\tn\nv\x0bf\x0cr\re\x1bN\u{85}_\u{a0}L\u{2028}P\u{2029}";
const HTML: &str = "<>&\u{2028}\u{2029}";
const NOTHING: [Number; 4] = [Keep; 4];

/// JSON as most write it.
pub(super) const JSON: Style = slash("\"\\", JSON_LETTERS, [Utf16(LOWER), Keep, Keep, Keep]);
/// JSON in ASCII: Python.
pub(super) const JSON_ASCII: Style = slash("\"\\", JSON_LETTERS, [Utf16(LOWER); 4]);
/// JSON that writes DEL as a number: jq, TOML.
pub(super) const JSON_DEL: Style = slash(
    "\"\\",
    JSON_LETTERS,
    [Utf16(LOWER), Utf16(LOWER), Keep, Keep],
);
/// JSON that is safe in HTML: Go, Rails.
pub(super) const JSON_HTML: Style =
    with("\"\\", JSON_LETTERS, HTML, [Utf16(LOWER), Keep, Keep, Keep]);
/// JSON by PHP, and by .NET.
pub(super) const PHP: Style = slash("\"\\/", JSON_LETTERS, [Utf16(LOWER), Keep, Keep, Keep]);
pub(super) const DOTNET: Style = with("\\", JSON_LETTERS, "\"&'+<>`", [Utf16(UPPER); 4]);
/// Python's `repr` where the text is between `'` and has one in it.
pub(super) const REPR_QUOTE: Style = slash(
    "'\\",
    FEW_LETTERS,
    [Hex(LOWER), Hex(LOWER), Python(LOWER), Keep],
);
/// Python's `repr` else.
pub(super) const REPR: Style = slash(
    "\\",
    FEW_LETTERS,
    [Hex(LOWER), Hex(LOWER), Python(LOWER), Keep],
);
/// A shell's `'…'`, as most leave it and come back.
pub(super) const SINGLE: Style = Style::Replaced(&[('\'', "'\\''")]);
/// The unreserved characters of RFC 3986.
pub(super) const UNRESERVED: Style = percent("-._~");
/// Browsers, Node and Rust's `url`: a path, a query, a fragment.
pub(super) const URL_PATH: Style = percent("!$%&'()*+,-./:;=@[\\]^|_~");
pub(super) const URL_QUERY: Style = percent("!$%&()*+,-./:;=?@[\\]^_`{|}~");
pub(super) const URL_FRAGMENT: Style = percent("!#$%&'()*+,-./:;=?@[\\]^_{|}~");
/// The characters that these drop from a URL, and the `/` that a path gets in place of a `\`.
pub(super) const ONE_LINE: Style = Style::Replaced(&[('\n', ""), ('\r', ""), ('\t', "")]);
pub(super) const SLASHES: Style =
    Style::Replaced(&[('\n', ""), ('\r', ""), ('\t', ""), ('\\', "/")]);
/// Rust's `{:?}`.
pub(super) const DEBUG: Style = slash("\"\\", "0\0t\tn\nr\r", [Brace, Brace, Brace, Keep]);
/// SQL and YAML between `'`.
pub(super) const DOUBLED: Style = Style::Replaced(&[('\'', "''")]);
/// JavaScript's `encodeURIComponent`.
pub(super) const COMPONENT: Style = percent("-_.!~*'()");
/// The percent signs of what has them already.
pub(super) const SIGNS: Style = Style::Replaced(&[('%', "%25")]);
/// HTML by Python, by Go, and by Go's templates.
pub(super) const ENTITIES: [Style; 3] = [
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#x27;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&#34;"),
        ('\'', "&#39;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&#34;"),
        ('\'', "&#39;"),
        ('+', "&#43;"),
    ]),
];
/// Bash's `printf %q` and `@Q` where something can't be printed.
pub(super) const DOLLAR: Style = slash("'\\", BASH_LETTERS, [Octal, Octal, Octal, Keep]);
/// Bash's `printf %q` else, but for `#` and `~`, which depend on their place.
pub(super) const WORD: Style = slash(" !\"$&'()*,;<>?[\\]^`{|}", "", NOTHING);

/// The styles that stand by themselves.
pub(super) const STYLES: &[Style] = &[
    JSON,
    JSON_ASCII,
    JSON_HTML,
    JSON_DEL,
    // Go before 1.22, and slog: fewer letters.
    with("\"\\", FEW_LETTERS, HTML, [Utf16(LOWER), Keep, Keep, Keep]),
    with(
        "\"\\",
        FEW_LETTERS,
        "\u{2028}\u{2029}",
        [Utf16(LOWER), Keep, Keep, Keep],
    ),
    // Gson; Jinja and Flask; Django.
    with(
        "\"\\",
        JSON_LETTERS,
        "<>&='\u{2028}\u{2029}",
        [Utf16(LOWER), Keep, Keep, Keep],
    ),
    with("\"\\", JSON_LETTERS, "<>&'", [Utf16(LOWER); 4]),
    with(
        "",
        "",
        "\\'\"<>&=-;`\u{2028}\u{2029}",
        [Utf16(UPPER), Keep, Keep, Keep],
    ),
    // PHP.
    PHP,
    slash(
        "\"\\/",
        JSON_LETTERS,
        [Utf16(LOWER), Keep, Utf16(LOWER), Utf16(LOWER)],
    ),
    // .NET.
    DOTNET,
    // Java's properties.
    slash("=:#!\\", "t\tn\nf\x0cr\r", [Utf16(UPPER); 4]),
    REPR_QUOTE,
    REPR,
    // Python's `ascii`, and `repr` of bytes.
    slash(
        "'\\",
        FEW_LETTERS,
        [Hex(LOWER), Hex(LOWER), Python(LOWER), Python(LOWER)],
    ),
    slash(
        "\\",
        FEW_LETTERS,
        [Hex(LOWER), Hex(LOWER), Python(LOWER), Python(LOWER)],
    ),
    slash("'\\", FEW_LETTERS, [Hex(LOWER); 4]),
    slash("\\", FEW_LETTERS, [Hex(LOWER); 4]),
    // YAML between double quotes, in ASCII and not.
    slash(
        "\"\\",
        YAML_LETTERS,
        [Hex(UPPER), Hex(UPPER), Python(UPPER), Python(UPPER)],
    ),
    slash(
        "\"\\",
        YAML_LETTERS,
        [Hex(UPPER), Hex(UPPER), Python(UPPER), Keep],
    ),
    // Node's `inspect`.
    slash(
        "\\",
        JSON_LETTERS,
        [Hex(UPPER), Hex(UPPER), Python(UPPER), Keep],
    ),
    slash(
        "'\\",
        JSON_LETTERS,
        [Hex(UPPER), Hex(UPPER), Python(UPPER), Keep],
    ),
    // Go's %q and %+q.
    slash("\"\\", C_LETTERS, [Go, Go, Go, Keep]),
    slash("\"\\", C_LETTERS, [Go; 4]),
    // Rust's {:?}, `escape_default`, `escape_ascii`.
    DEBUG,
    slash("\"'\\", "0\0t\tn\nr\r", [Brace, Brace, Brace, Keep]),
    slash("\"'\\", FEW_LETTERS, [Brace; 4]),
    slash("\"'\\", FEW_LETTERS, [Hex(LOWER); 4]),
    // Logs of nginx; of Apache, and Redis; cookies by Python.
    with("", "", "\"\\", [Hex(UPPER); 4]),
    slash(
        "\"\\",
        "a\x07b\x08t\tn\nv\x0br\r",
        [Hex(LOWER), Hex(LOWER), Hex(LOWER), Hex(LOWER)],
    ),
    with("\"\\", "", ",;", [Octal; 4]),
    // A shell's "…", and '…' of Perl and PHP.
    slash("\"\\$`", "", NOTHING),
    slash("'\\", "", NOTHING),
    // Bash in a locale of ASCII alone.
    slash("'\\", BASH_LETTERS, [Octal; 4]),
    // Names of files in git; C.
    slash("\"\\", C_LETTERS, [Octal; 4]),
    slash("\"\\", C_LETTERS, [Octal, Octal, Octal, Keep]),
    // Tables with tabs: jq, PostgreSQL, MySQL.
    slash("\\", FEW_LETTERS, NOTHING),
    // The same of bytes: `sed -n l`.
    slash("\\", C_LETTERS, [Octal; 4]),
    // Perl's double quotes, of text and of bytes, and `quotemeta`.
    slash("\"\\$@", PERL_LETTERS, NOTHING),
    slash("\"\\$@", PERL_LETTERS, [Octal; 4]),
    slash(" !\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~", "", [Slash; 4]),
    // Ruby's for a shell.
    slash(" !\"#$%&'()*;<=>?[\\]^`{|}~", "", NOTHING),
    // Python's `re.escape`.
    slash(" #$&()*+-.?[\\]^{|}~\t\n\r\x0b\x0c", "", NOTHING),
    SINGLE,
    Style::Replaced(&[('\'', "'\"'\"'")]),
    // Git, in its traces.
    Style::Replaced(&[('\'', "'\\''"), ('!', "'\\!'")]),
    // CSV.
    DOUBLED,
    Style::Replaced(&[('"', "\"\"")]),
    Style::Replaced(&[('\n', "\r\n")]),
    // Scripts in pages, by Go.
    with(
        "\"'\\",
        "",
        "<>&=",
        [Utf16(UPPER), Keep, Utf16(UPPER), Keep],
    ),
    with("\"'\\", "", "<>&=", [Utf16(UPPER), Keep, Keep, Keep]),
    with(
        "\\/",
        "t\tn\nf\x0cr\r",
        "\"&'+<>`\u{2028}\u{2029}",
        [Utf16(LOWER), Keep, Keep, Keep],
    ),
    // XML by Go, and Python's attributes.
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&#34;"),
        ('\'', "&#39;"),
        ('\n', "&#xA;"),
        ('\t', "&#x9;"),
        ('\r', "&#xD;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\n', "&#10;"),
        ('\t', "&#9;"),
        ('\r', "&#13;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('\n', "&#10;"),
        ('\t', "&#9;"),
        ('\r', "&#13;"),
    ]),
    // XML in ASCII, by Python: text, and attributes.
    Style::Entities(&[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;")]),
    Style::Entities(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\n', "&#10;"),
        ('\t', "&#09;"),
        ('\r', "&#13;"),
    ]),
    // XML's text, and its attributes; jq, PHP, and others.
    Style::Replaced(&[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;")]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#39;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#039;"),
    ]),
    Style::Replaced(&[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&apos;"),
    ]),
];

/// Percent signs that are also written with small digits. A space is `+` in those that say so:
/// RFC 3986; JavaScript; Python's `quote`; forms of Python and Go, of browsers and Java, of PHP, of
/// .NET.
pub(super) const COMMON_PERCENT: &[(&str, Option<u8>)] = &[
    ("-._~", None),
    ("-_.!~*'()", None),
    ("-._~/", None),
    ("-._~", Some(b'+')),
    ("-._*", Some(b'+')),
    ("-._", Some(b'+')),
    ("-_.!*()", Some(b'+')),
];

/// Percent signs of parts of a URL.
pub(super) const PERCENT: &[Style] = &[
    // Rust's NON_ALPHANUMERIC.
    percent(""),
    // Go: a segment, userinfo, a path, a fragment.
    percent("-._~$&+=:@"),
    percent("-._~$&+,;="),
    percent("-._~$&+,/:;=@"),
    percent("-._~$&+,/:;=?@!()*"),
    // Browsers, Node and Rust's `url`: userinfo, with and without `'`; a path; a query; a fragment.
    percent("!$%&'()*+,-._~"),
    percent("!$%&()*+,-._~"),
    percent("!$%&'()*+,-./:;=@[\\]|_~"),
    URL_PATH,
    URL_QUERY,
    percent("!$%&'()*+,-./:;=?@[\\]^_`{|}~"),
    URL_FRAGMENT,
    // JavaScript's `encodeURI`, and Node's old userinfo.
    percent(";,/?:@&=+$-_.!~*'()#"),
    percent("-_.!~*'():"),
    // Elixir, and .NET.
    percent("!#$&'()*+,/:;=?@[]~-._"),
    // Python: requests, SQLAlchemy, urllib3's userinfo, path and query.
    percent("!#$%&'()*+,/:;=?@[]~-._"),
    percent(" +-._~"),
    percent("!$&'()*+,;=:-._~"),
    percent("!$&'()*+,;=:@-._~"),
    percent("!$&'()*+,;=:@-._~/"),
    percent("!$&'()*+,;=:@-._~/?"),
    Style::Units("@*_+-./"),
];
