//! Masking a stream, held against the simplest way to do it: one that has all of the text and all
//! of the values.

use std::rc::Rc;

use super::mask_body::{LABELS, Simple, Text, check, needles, read, texts, told, write};
use doorkey::core::mask::encodings::trimmed;
use doorkey::core::mask::patterns::{Needles, too_short};
use doorkey::core::mask::stream::{Held, Stream};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let value = prop_oneof![
        "[ab]{0,12}".prop_map(String::into_bytes),
        "[a-z0-9+/=!'\" $\\\\]{4,40}".prop_map(String::into_bytes),
        "\\PC{2,12}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..40),
        ("[a\n ]{4,20}", "[b\n\t]{4,40}").prop_map(|(one, two)| (one + &two).into_bytes()),
        (any::<u8>(), 1..300_usize).prop_map(|(byte, count)| vec![byte; count]),
        vec(any::<u8>(), 60..300),
        (4..200_usize, "[a-z]{1,3}|[a-z]{70}")
            .prop_map(|(count, end)| (" ".repeat(count) + &end).into()),
        "[a-c/]{60,200}".prop_map(String::into_bytes),
    ];
    (vec(value, 1..4), any::<Index>(), any::<Index>()).prop_map(|(mut values, of, length)| {
        // One that another begins with, or that begins alike.
        let of = of.get(&values);
        let length = length.index(of.len() + 1);
        let mut alike = of[..length].to_vec();
        values.push(alike.clone());
        alike.extend(b"otherwise");
        values.push(alike);
        values
    })
}

/// A stretch of output: something else, or of a text to find from a place on so many bytes.
#[derive(Debug, Clone)]
enum Stretch {
    Noise(Vec<u8>),
    Text(Index, Index, Index, bool),
}

fn output() -> impl Strategy<Value = Vec<Stretch>> {
    let noise = prop_oneof![
        vec(any::<u8>(), 0..30),
        "[ab \n'/]{0,40}".prop_map(String::into_bytes),
        (1..700_usize).prop_map(|count| vec![b' '; count]),
    ];
    let text = (
        any::<Index>(),
        any::<Index>(),
        any::<Index>(),
        any::<bool>(),
    );
    let stretch = prop_oneof![
        1 => noise.prop_map(Stretch::Noise),
        2 => text.prop_map(|(a, b, c, d)| Stretch::Text(a, b, c, d)),
    ];
    vec(stretch, 0..8)
}

fn filled(output: &[Stretch], texts: &[Text]) -> Vec<u8> {
    let mut out = Vec::new();
    for stretch in output {
        match stretch {
            Stretch::Noise(noise) => out.extend(noise),
            Stretch::Text(which, _, _, true) if !texts.is_empty() => {
                out.extend(&which.get(texts).0);
            }
            Stretch::Text(which, from, to, _) if !texts.is_empty() => {
                let text = &which.get(texts).0;
                let from = from.index(text.len());
                out.extend(&text[from..from + to.index(text.len() - from + 1)]);
            }
            Stretch::Text(..) => {}
        }
    }
    out
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let sizes = prop_oneof![Just(1..2_usize), Just(1..12), Just(1..400)];
    sizes.prop_flat_map(|sizes| vec(sizes, 1..60))
}

proptest! {
    // Each case makes all forms of some values: 256 of them take a minute without optimisation.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_stream_is_masked_as_the_whole_would_be(
        values in values(), output in output(), cuts in cuts(), window in 4..33_usize,
    ) {
        let texts = texts(&values, window);
        let output = filled(&output, &texts);
        let mut simple = Simple::new(texts, window);
        simple.take(&output);
        simple.release();

        let needles = Rc::new(needles(&values, window));
        let (longest, mut stream) = (needles.longest(), Stream::new(needles));
        let (mut rest, mut out, mut taken) = (output.as_slice(), Vec::new(), 0);
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(cut.min(rest.len()));
            read(&mut stream, now, &mut out);
            (rest, taken) = (later, taken + now.len());
            match stream.held() {
                None => {}
                Some(Held::Short { since }) => {
                    prop_assert!(taken - (since as usize) < window);
                }
                Some(Held::Long { since }) => {
                    let held = taken - since as usize;
                    prop_assert!((window..longest).contains(&held), "{held}, {window}, {longest}");
                }
            }
        }
        stream.end();
        write(&mut stream, usize::MAX, &mut out);
        prop_assert_eq!(out, simple.shown);
    }

    /// Whatever is released and whenever: the rest of a value is masked, so that of no value all
    /// bytes are shown.
    #[test]
    fn what_is_released_keeps_its_rest_masked(
        values in values(), output in output(), cuts in cuts(), window in 4..33_usize,
        releases in vec(select(vec![false, true, true]), 1..20), wipes: bool,
    ) {
        let texts = texts(&values, window);
        let output = filled(&output, &texts);
        let mut simple = Simple::new(texts, window);
        let mut stream = Stream::new(Rc::new(needles(&values, window)));
        let (mut rest, mut out) = (output.as_slice(), Vec::new());
        for (cut, release) in cuts.iter().cycle().zip(releases.iter().cycle()) {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            simple.take(now);
            read(&mut stream, now, &mut out);
            prop_assert!(simple.shown.starts_with(&out));
            rest = later;
            if *release {
                simple.release();
                stream.release();
                prop_assert_eq!(stream.held(), None);
                write(&mut stream, usize::MAX, &mut out);
                prop_assert_eq!(&out, &simple.shown);
            }
            if wipes {
                stream.wipe();
            }
        }
        simple.release();
        stream.end();
        write(&mut stream, usize::MAX, &mut out);
        prop_assert_eq!(&out, &simple.shown);
        for (text, _) in &simple.texts {
            for start in 0..=output.len().saturating_sub(text.len()) {
                if output[start..].starts_with(text) {
                    let covered = &simple.covered[start..start + text.len()];
                    prop_assert!(covered.contains(&true), "{text:?} at {start}");
                }
            }
        }
    }

    #[test]
    fn needles_come_back_as_they_were(values in values(), window in 4..33_usize) {
        let pairs = || LABELS.into_iter().zip(values.iter().map(Vec::as_slice));
        let bytes = told(pairs(), window);
        let again = Needles::from_bytes(&bytes).unwrap();
        let longest = texts(&values, window).iter().map(|(text, _)| text.len()).max();
        prop_assert_eq!(again.longest(), longest.unwrap_or(0));
        // One byte less or more is nothing.
        prop_assert!(Needles::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        prop_assert!(Needles::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
        for (label, value) in pairs() {
            let short = too_short(pairs(), window).contains(&label);
            let length = trimmed(value).len();
            prop_assert_eq!(short, length > 0 && length < window);
        }
    }

    #[test]
    fn any_bytes_are_needles_or_none(
        values in values(), window in 4..33_usize, noise in vec(any::<u8>(), 0..200),
        changed in any::<Index>(), to: u8, output in vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(Needles::from_bytes(&noise).is_none());
        let pairs = LABELS.into_iter().zip(values.iter().map(Vec::as_slice));
        let mut bytes = told(pairs, window);
        let place = changed.index(bytes.len());
        bytes[place] = to;
        if let Some(needles) = Needles::from_bytes(&bytes) {
            // Where a length was changed there may be no memory for it.
            if needles.longest() < 1 << 20 {
                read(&mut Stream::new(Rc::new(needles)), &output, &mut Vec::new());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// All forms of a value one after another, cut anywhere.
    #[test]
    fn every_form_is_found(
        value in "[ -~é😀\n\t\x01]{8,30}|[ -~]{8,60}", cuts in cuts(), window in 4..9_usize,
    ) {
        let values = [value.into_bytes()];
        let texts = texts(&values, window);
        let output: Vec<u8> = texts.iter().flat_map(|(text, _)| [&text[..], b"\0\0"].concat()).collect();
        let mut simple = Simple::new(texts, window);
        simple.take(&output);
        simple.release();
        let mut stream = Stream::new(Rc::new(needles(&values, window)));
        let (mut rest, mut out) = (output.as_slice(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            read(&mut stream, now, &mut out);
            rest = later;
        }
        stream.end();
        write(&mut stream, usize::MAX, &mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&simple.shown));
    }

    /// The body of the fuzz target, for which `fuzz` has a crate.
    #[test]
    fn any_bytes_are_masked_as_the_simple_way_does(data in vec(any::<u8>(), 0..300)) {
        check(&data);
    }
}
