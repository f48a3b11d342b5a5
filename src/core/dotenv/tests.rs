//! Tests of the reading of dotenv files.

use super::{CR, parse};

/// Each name and value that is read, or the line, column and reason of the fault.
#[allow(clippy::type_complexity)]
fn read(text: &[u8]) -> Result<Vec<(String, Option<Vec<u8>>)>, (usize, usize, &'static str)> {
    let pair = |one: super::Assignment| (String::from_utf8(one.name).unwrap(), one.value);
    parse(text, false)
        .map(|all| all.into_iter().map(pair).collect())
        .map_err(|faults| (faults[0].line, faults[0].column, faults[0].reason))
}

#[test]
fn values() {
    for (text, value) in [
        ("A =  b \t", "b"),
        ("A:=b:c=d", "=b:c=d"),
        ("A=b\r\n", "b"),
        ("A=\r\n", ""),
        ("A=b # c", "b"),
        ("A=b#c #d", "b#c"),
        ("A=b\t#c", "b\t#c"),
        ("A=#c #d", "#c"),
        ("A=#", "#"),
        ("A='b\r#'", "b\r#"),
        (r"A=b\n\$c$D${E}$$", r"b\n\$c$D${E}$$"),
        ("A=it's \"b\"", "it's \"b\""),
        ("A=\u{a0}\u{3000}b\u{3000}\u{a0}", "\u{3000}b"),
        // Single quotes.
        ("A=''#c", ""),
        ("A='b # c\r\n d' # c", "b # c\r\n d"),
        (r"A='\'b\'\\\n\x'", r"'b'\\\n\x"),
        (r#"A='"\"'"#, r#""\""#),
        // Double quotes.
        ("A=\"b\n# c\"\t", "b\n# c"),
        (r#"A="\a\b\f\n\r\t\v\\\"\$""#, "\x07\x08\x0c\n\r\t\x0b\\\"$"),
        (r#"A="$D${E}$$\$F""#, "$D${E}$$$F"),
        (r#"A="\c\x41\u12e4\'\ \\n\\""#, r"\c\x41\u12e4\'\ \n\"),
        (r#"A="\01234\0351\0000""#, "S4\u{e9}\0"),
        (r#"A="\0777\0189\012 \0""#, r"\777\189\12 \"),
    ] {
        let expected = vec![("A".to_owned(), Some(value.into()))];
        assert_eq!(read(text.as_bytes()), Ok(expected), "{text:?}");
    }
}

#[test]
fn names() {
    for (text, names) in [
        ("", ""),
        ("\u{feff} \r\n# c\n\t# c", ""),
        ("\u{feff}A=\nB:\nA='\n'\nC=''", "A B A C"),
        ("export A=1\n\texport\tB : 2\nexport C", "A B C"),
        ("A\nB \r\nC", "A B C"),
        ("export=1\nexported=2\nexport:3", "export exported export"),
        ("a.b-c[0]=1\n\u{e9}\u{663}=2", "a.b-c[0] \u{e9}\u{663}"),
    ] {
        let read = read(text.as_bytes()).unwrap();
        let read: Vec<_> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(read.join(" "), names, "{text:?}");
    }
    assert_eq!(read(b"A\r\n"), Ok(vec![("A".to_owned(), None)]));
}

#[test]
fn bytes_that_are_not_text() {
    let read = parse(b"A=\xff \x00\xc3 # \xff\nB=\"\xff\0\" \nC='\x80'", false).unwrap();
    let values = read.iter().map(|one| one.value.as_deref().unwrap());
    assert!(values.eq([&b"\xff \0\xc3"[..], b"\xff\0", b"\x80"]));
    assert_eq!(format!("{:?}", read[0]), "Assignment { name: \"A\", .. }");
}

#[test]
fn faults() {
    const LETTERS: &str = "a name has only letters, digits and _ . - [ ] in it";
    const COMMENT: &str = "only a comment may follow a closing quote";
    for (text, line, column, reason) in [
        (&b"A=1\n =2"[..], 2, 2, "a name is missing"),
        (b"export", 1, 7, "a name is missing"),
        (b"export =1", 1, 8, "a name is missing"),
        (b"\nA  B=1", 2, 4, "a name has no blank in it"),
        (b"\xef\xbb\xbfA B", 1, 3, "a name has no blank in it"),
        (b"A\xff=1", 1, 2, LETTERS),
        (b"\xc3\xa9 # c", 1, 4, LETTERS),
        (b"export A\0", 1, 9, LETTERS),
        (b"A='1\n\n'2", 3, 2, COMMENT),
        (b"A=\"1\" B=2", 1, 7, COMMENT),
        (b"A='\\'\nB=\"2\"", 1, 3, "the quote is never closed"),
        (b"A=\r\nB= \"\n\\", 2, 4, "the quote is never closed"),
        (b"A= # c", 1, 4, super::COMMENT),
        (b"A=# c", 1, 3, super::COMMENT),
        (b"A=\t#c", 1, 4, super::COMMENT),
        ("A=\u{3000}\u{a0}# c".as_bytes(), 1, 8, super::COMMENT),
        (b"A=b\rB=c", 1, 4, CR),
        (b"# c\rA=b", 1, 4, CR),
        (b"A\rB=c", 1, 3, CR),
        (
            "A=b\n\u{feff}B=c".as_bytes(),
            2,
            1,
            "a byte order mark stands here, which belongs at a file's beginning",
        ),
        (b"\xff\xfeA\0=\0", 1, 1, "this is UTF-16; save it as UTF-8"),
        (b"\0A\0=\0b", 1, 1, "this is UTF-16; save it as UTF-8"),
    ] {
        assert_eq!(read(text), Err((line, column, reason)), "{text:?}");
    }
}

#[test]
fn every_line() {
    let text = b"A B\nC=\"1\nD=2\n=3\nE= # 4\nF=5\n";
    let lines = parse(text, false).unwrap_err();
    let lines: Vec<_> = lines.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 4, 5]);
}

#[test]
fn variables_in_braces() {
    let text = b"A=${B}${C:-d}$${E}$F\nG=\"\\${H}${I}\"\nJ='${K}'\nL=${secret:m}${1}";
    let names = parse(text, false).unwrap();
    let names: Vec<_> = names.iter().flat_map(|one| &one.braced).collect();
    assert_eq!(names, [b"B", b"C", b"I"]);
    let interpolated = parse(text, true).unwrap();
    assert_eq!(interpolated[1].value.as_deref(), Some(&b"$${H}${I}"[..]));
}

#[test]
fn any_bytes() {
    let alphabet = b"A=: \t\r\n\n#'\"\\0n7$\0\xc3\xa9\xff\xef\xbb\xbf";
    let mut state = 1_u32;
    for length in (0..24).cycle().take(50_000) {
        let text = [(); 24].map(|()| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            alphabet[(state >> 8) as usize % alphabet.len()]
        });
        if let Err((line, column, _)) = read(&text[..length]) {
            let line = text[..length].split(|&byte| byte == b'\n').nth(line - 1);
            assert!(column <= line.unwrap().len() + 1, "{text:?}");
        }
    }
}
