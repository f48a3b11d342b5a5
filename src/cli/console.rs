//! `doorkey console`: serves the page to the browser of the person at the terminal.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::options::Options;
use super::output::unprintable;
use super::own_flags;
use super::store_access::unread;
use crate::console::{Console, End, Settings};
use crate::core::environment::lookup;
use crate::core::option::One;
use crate::model::error::{Error, Os};
use crate::model::log;
use crate::model::named::Named;
use crate::model::secret::Secret;
use crate::stores;
use crate::sys::draft::Scrap;
use crate::sys::loopback::Loopback;
use crate::sys::{duration, process, program, random, stdio, terminal};

/// The program that opens a file in the person's browser.
const BROWSER: &str = "xdg-open";

/// The console ends after so long without a request.
const USUAL_IDLE: Duration = Duration::from_secs(15 * 60);

/// Serves until the person has enough, or nobody is there.
///
/// # Errors
/// A usage error, a store that can't be opened, or an address that can't be had.
pub fn console(options: &mut Options) -> Result<ExitCode, Error> {
    let link_file = options.path(&own_flags::LINK_FILE);
    refuse_nobody(link_file.is_some())?;
    let address = address(options)?;
    let port = port(options)?;
    let idle = idle(options)?;
    let timeout = options.timeout()?;
    let place = options.place()?;
    let location = place.store.clone().ok_or_else(stores::unnamed)?;
    // A spec that is checked may refer to any kind of store.
    let words: BTreeSet<&'static str> = stores::schemes(&[]).iter().map(|one| one.word).collect();
    let access = options.access(&place, &words, &[], false);
    if let Some(why) = unread(options, vec![], &access) {
        return Err(Error::Usage(format!("the console needs {why}")));
    }
    let first = Arc::new(access.renewed(options.began + timeout));
    drop(stores::open(&location, &first)?);
    let loopback = Loopback::bind(address, port).map_err(|why| Error::Found {
        place: format!("{address} port {port}"),
        what: format!("can't listen there: {}", Os::from(why)),
    })?;
    let settings = Settings {
        location,
        access,
        timeout,
        idle,
        scopes: place.scopes.clone(),
    };
    let (console, link) = Console::new(settings, loopback.host())?;
    let written = hand_over(options, &link, link_file)?;
    drop(link);
    let console = Arc::new(console);
    let served = loopback.serve(&console);
    drop(written);
    served.map_err(|why| Error::file("serve", "the page", why))?;
    match console.end() {
        Some(End::Attacked) => Err(Error::Found {
            place: "the console".to_owned(),
            what: "ended, as five tokens were wrong: somebody is guessing".to_owned(),
        }),
        Some(End::Unused) => Err(Error::Found {
            place: "the console".to_owned(),
            what: "ended, as nobody has used the link within two minutes".to_owned(),
        }),
        Some(End::Idle) => {
            let idle = humantime::format_duration(idle);
            log::info!("the console has ended, after {idle} without a request (--idle)");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            log::info!("the console has ended");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Refuses a start where nobody is: the console is for one person, and no service.
fn refuse_nobody(has_link_file: bool) -> Result<(), Error> {
    if process::own() == 1 {
        return Err(Error::Usage(
            "the console is no service: it is for a person's own machine, and does not run as PID 1"
                .to_owned(),
        ));
    }
    match terminal::is_shown() || has_link_file {
        true => Ok(()),
        false => Err(Error::Usage(
            "the link would be seen by others than you, as standard output is no terminal; \
             give --link-file FILE"
                .to_owned(),
        )),
    }
}

fn address(options: &Options) -> Result<IpAddr, Error> {
    match options.text(&own_flags::LISTEN)? {
        None | Some("127.0.0.1") => Ok(Ipv4Addr::LOCALHOST.into()),
        Some("::1") => Ok(Ipv6Addr::LOCALHOST.into()),
        Some(_) => Err(options.usage(
            &own_flags::LISTEN,
            "must be 127.0.0.1 or ::1: the console is for this machine alone",
        )),
    }
}

fn port(options: &Options) -> Result<u16, Error> {
    let what = "must be a number from 0 to 65535; 0 is any that is free";
    let port = parsed(options, &own_flags::PORT, what, |text| text.parse().ok());
    Ok(port?.unwrap_or(0))
}

fn idle(options: &Options) -> Result<Duration, Error> {
    let what = "must be a duration above zero, such as 15m";
    let above_zero = |text: &str| duration::parse(text).filter(|idle| !idle.is_zero());
    let idle = parsed(options, &own_flags::IDLE, what, above_zero);
    Ok(idle?.unwrap_or(USUAL_IDLE))
}

fn parsed<T>(
    options: &Options,
    option: &One,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    let text = options.text(option)?;
    text.map(|text| parse(text).ok_or_else(|| options.usage(option, what)))
        .transpose()
}

/// Gives the link to the person: on the terminal or in a file, and in the browser. Returns the files
/// that hold it, which are removed when dropped.
fn hand_over(
    options: &Options,
    link: &Secret,
    link_file: Option<Named>,
) -> Result<Vec<Scrap>, Error> {
    let line = [link.expose(), b"\n"].concat();
    let mut written = Vec::new();
    match link_file {
        Some(file) => {
            let scrap = Scrap::write(&file, &line);
            written.push(scrap.map_err(|why| Error::file("write", file, why))?);
        }
        None => stdio::print(&line).map_err(unprintable)?,
    }
    log::info!("the link works once, within two minutes; Ctrl-C ends the console");
    if options.flag(&own_flags::OPEN) {
        let redirect = redirect_file(options);
        let scrap = Scrap::write(&redirect, &redirection(link));
        written.push(scrap.map_err(|why| Error::file("write", &redirect, why))?);
        let failed = |_| log::warning!("{BROWSER} has failed; open the link yourself");
        if let Err(why) = program::show(BROWSER, &redirect, failed) {
            log::warning!(
                "can't start {BROWSER}: {}; open the link yourself",
                Os::from(why)
            );
        }
    }
    Ok(written)
}

/// Returns the path of the file that leads the browser to the link. A program's arguments can be
/// read by everybody, so the browser is given the path of a file that only its owner can read.
fn redirect_file(options: &Options) -> PathBuf {
    let own = lookup(&options.inherited.0, b"XDG_RUNTIME_DIR");
    let own = own.filter(|folder| folder.starts_with(b"/"));
    let folder = Path::new(OsStr::from_bytes(own.unwrap_or(b"/tmp")));
    folder.join(format!("doorkey-console-{}.html", random::id()))
}

/// Makes the page that leads to the link. The link has no characters that HTML changes.
fn redirection(link: &Secret) -> Vec<u8> {
    let before = b"<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer>\
        <title>doorkey</title><meta http-equiv=refresh content=\"0;url=";
    [before, link.expose(), b"\">\n"].concat()
}
