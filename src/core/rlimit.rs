//! Resource limits in their written form: `nofile=1024:4096`.

/// A limit on a resource of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Name, such as `nofile`.
    pub name: &'static str,
    /// Number in the kernel's interface.
    pub number: u32,
    /// Limit in force. The largest number means unlimited.
    pub soft: u64,
    /// Highest limit that the process may set for itself.
    pub hard: u64,
}

/// Names in the order of the kernel's numbers on x86 and ARM (`asm-generic/resource.h`).
const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

/// Reads `NAME=SOFT:HARD`, or `NAME=BOTH`; `unlimited` is a number too.
///
/// # Errors
/// The reason, in lower case.
pub fn parse(text: &str) -> Result<Limit, &'static str> {
    let (name, values) = text.split_once('=').ok_or(FORM)?;
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("rlimit_").unwrap_or(&name);
    let number = NAMES.iter().position(|known| *known == name);
    let number = number.ok_or("must name a limit: nofile, nproc, core, stack, memlock, as …")?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let value = |text: &str| match text {
        "unlimited" | "infinity" | "-1" => Ok(u64::MAX),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| FORM)
        }
        _ => Err(FORM),
    };
    let (soft, hard) = (value(soft)?, value(hard)?);
    if soft > hard {
        return Err("must not have a SOFT above its HARD");
    }
    Ok(Limit {
        name: NAMES[number],
        number: number as u32,
        soft,
        hard,
    })
}

const FORM: &str = "must be NAME=SOFT:HARD, such as nofile=1024:4096";

#[cfg(test)]
mod tests {
    use super::{FORM, parse};

    #[test]
    fn forms() {
        for (text, number, soft, hard) in [
            ("nofile=1024:4096", 7, 1024, 4096),
            ("NOFILE=5", 7, 5, 5),
            ("RLIMIT_CORE=0", 4, 0, 0),
            ("as=1:unlimited", 9, 1, u64::MAX),
            ("cpu=-1", 0, u64::MAX, u64::MAX),
            ("rttime=7:infinity", 15, 7, u64::MAX),
        ] {
            let limit = parse(text).unwrap();
            assert_eq!(
                (limit.number, limit.soft, limit.hard),
                (number, soft, hard),
                "{text}"
            );
        }
        for text in [
            "nofile",
            "nofile=",
            "nofile=1:",
            "nofile=+1",
            "nofile=1:2:3",
            "core=-2",
        ] {
            assert_eq!(parse(text), Err(FORM), "{text}");
        }
        assert!(parse("files=1").is_err());
        assert!(parse("nofile=2:1").is_err());
    }
}
