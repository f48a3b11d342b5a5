//! Masking a stream against the simplest way to do it: one that has all of the text and all of the
//! values. Property tests use it, and the fuzz target in `fuzz`.

use std::rc::Rc;

use doorkey::core::mask::encodings::forms;
use doorkey::core::mask::making::Making;
use doorkey::core::mask::patterns::Needles;
use doorkey::core::mask::stream::Stream;

const KEY: [u8; 32] = *b"any 32 bytes are a key: here too";

pub const LABELS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A needle's text and its label.
pub type Text = (Vec<u8>, &'static str);

/// What is to be found of these values: of equal texts the first one's.
pub fn texts(values: &[Vec<u8>], window: usize) -> Vec<Text> {
    let mut texts: Vec<Text> = Vec::new();
    for (value, label) in values.iter().zip(LABELS) {
        forms(value, &mut |form| {
            if form.len() >= window && texts.iter().all(|(text, _)| text != form) {
                texts.push((form.to_vec(), label));
            }
        });
    }
    texts
}

pub fn needles(values: &[Vec<u8>], window: usize) -> Needles {
    let values = LABELS.into_iter().zip(values.iter().map(Vec::as_slice));
    // As the one that looks for them gets them.
    Needles::from_bytes(&told(values, window)).unwrap()
}

pub fn told<'a>(values: impl Iterator<Item = (&'a str, &'a [u8])>, window: usize) -> Vec<u8> {
    let mut making = Making::new(window, KEY);
    values.for_each(|(label, value)| making.add(label, value));
    making.told()
}

/// The simple way. `from` and `out` are as in the stream; `covered` are the bytes for which a
/// placeholder stands.
pub struct Simple {
    pub texts: Vec<Text>,
    window: usize,
    text: Vec<u8>,
    from: usize,
    out: usize,
    pub shown: Vec<u8>,
    pub covered: Vec<bool>,
}

impl Simple {
    pub fn new(texts: Vec<Text>, window: usize) -> Self {
        Simple {
            texts,
            window,
            text: vec![],
            from: 0,
            out: 0,
            shown: vec![],
            covered: vec![],
        }
    }

    pub fn take(&mut self, bytes: &[u8]) {
        self.text.extend(bytes);
        self.covered.resize(self.text.len(), false);
        self.from = self.search(false);
        self.show(self.from);
    }

    pub fn release(&mut self) {
        self.search(true);
        self.show(self.text.len());
    }

    fn show(&mut self, to: usize) {
        if to > self.out {
            self.shown.extend(&self.text[self.out..to]);
            self.out = to;
        }
    }

    fn search(&mut self, ends: bool) -> usize {
        let mut start = self.from;
        loop {
            let rest = self.text[start..].to_vec();
            let begins = |text: &Text| text.0.len() > rest.len() && text.0.starts_with(&rest);
            let undecided = rest.len() < self.window && !self.texts.is_empty();
            if rest.is_empty() || !ends && (undecided || self.texts.iter().any(begins)) {
                return start;
            }
            let whole = self.texts.iter().filter(|(text, _)| rest.starts_with(text));
            match whole.max_by_key(|(text, _)| text.len()).cloned() {
                Some((text, label)) => {
                    self.show(start);
                    start += text.len();
                    if start > self.out {
                        self.shown.extend(format!("[secret:{label}]").bytes());
                        self.covered[self.out..start].fill(true);
                        self.out = start;
                    }
                }
                None => start += 1,
            }
        }
    }
}

/// Writes up to so many bytes of what may go out.
pub fn write(stream: &mut Stream, most: usize, into: &mut Vec<u8>) {
    let waiting = stream.pieces().collect::<Vec<_>>().concat();
    let count = most.min(waiting.len());
    into.extend(&waiting[..count]);
    stream.wrote(count);
}

pub fn read(stream: &mut Stream, mut bytes: &[u8], into: &mut Vec<u8>) {
    while !bytes.is_empty() {
        let room = stream.room();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        bytes = &bytes[count..];
        stream.took(count);
        write(stream, usize::MAX, into);
    }
}

/// Takes values, output and its cuts out of any bytes, and masks the output in both ways.
///
/// # Panics
/// The two differ.
pub fn check(data: &[u8]) {
    let [window, count, length, cut, rest @ ..] = data else {
        return;
    };
    let window = 4 + usize::from(window % 29);
    let (length, cut) = (1 + usize::from(length % 80), 1 + usize::from(cut % 50));
    let values: Vec<Vec<u8>> = rest
        .chunks(length)
        .take(1 + usize::from(count % 4))
        .map(<[u8]>::to_vec)
        .collect();
    let texts = texts(&values, window);
    // What follows chooses forms, and is text itself.
    let mut output = Vec::new();
    for byte in &rest[rest.len().min(length * values.len())..] {
        match texts.get(usize::from(*byte)) {
            Some((text, _)) => output.extend_from_slice(&text[..text.len().min(400)]),
            None => output.push(*byte),
        }
    }
    let mut simple = Simple::new(texts, window);
    let mut stream = Stream::new(Rc::new(needles(&values, window)));
    let mut out = Vec::new();
    for piece in output.chunks(cut) {
        simple.take(piece);
        read(&mut stream, piece, &mut out);
    }
    simple.release();
    stream.end();
    write(&mut stream, usize::MAX, &mut out);
    assert_eq!(out, simple.shown);
}
