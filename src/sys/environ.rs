//! Reads the arguments and the environment that this process was started with.

use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;

use super::memory;
use crate::core::environment::value_in;
use crate::model::secret::Secret;

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

/// The environment's entries, byte for byte and in order.
#[derive(Default)]
pub struct Inherited(pub Vec<&'static CStr>);

/// Returns the arguments after the program's name.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip(1)
}

/// Reads the environment. Call it once, first thing in `main`.
pub fn read() -> Inherited {
    let mut environment = Vec::with_capacity(64);
    // SAFETY: the C library keeps `environ` as an array of strings that ends with a null
    // pointer; nobody changes the array, as no thread runs yet and doorkey never calls `setenv`.
    // The strings live as long as the process.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            environment.push(CStr::from_ptr(*next));
            next = next.add(1);
        }
    }
    Inherited(environment)
}

/// Returns the names of doorkey's own environment variables, which a program that it asks does not
/// get.
pub fn own_names() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    let is_own = |name: &OsString| name.as_encoded_bytes().starts_with(b"DOORKEY_");
    names.filter(is_own).collect()
}

impl Inherited {
    /// Overwrites the whole environment in place, as /proc shows it, in a process that needs none
    /// of it.
    pub fn erase(self) {
        for entry in self.0 {
            // SAFETY: the process's own initial stack can be written to, and this was the one
            // reference to the entry.
            unsafe { memory::wipe(entry.as_ptr().cast_mut().cast(), entry.count_bytes()) };
        }
    }

    /// Sets a variable, as if it had been inherited.
    pub fn assign(&mut self, name: &str, value: &[u8]) {
        self.0
            .retain(|entry| value_in(entry.to_bytes(), name.as_bytes()).is_none());
        let entry = [name.as_bytes(), b"=", value].concat();
        let entry = CString::new(entry).unwrap_or_default().into_boxed_c_str();
        // One short string, until the exec.
        self.0.push(Box::leak(entry));
    }

    /// Moves the values of these variables out of the environment, and overwrites them in place.
    /// They are no longer in `/proc/PID/environ` either. A variable that `keeps` accepts stays, for
    /// the workload.
    pub fn take(
        &mut self,
        names: &[&'static str],
        keeps: impl Fn(&str) -> bool,
    ) -> Vec<(&'static str, Secret)> {
        let mut taken = Vec::new();
        for &name in names {
            let of_name = |entry: &&CStr| value_in(entry.to_bytes(), name.as_bytes()).is_some();
            let Some(entry) = self.0.iter().copied().find(of_name) else {
                continue;
            };
            let at = name.len() + 1;
            taken.push((name, Secret::new(entry.to_bytes()[at..].to_vec())));
            if keeps(name) {
                continue;
            }
            self.0.retain(|entry| {
                let stays = !of_name(entry);
                if !stays {
                    let start = entry.as_ptr().cast_mut();
                    for byte in at..entry.count_bytes() {
                        // SAFETY: the process's own initial stack can be written to, and this was
                        // the one reference to the entry: options are never credentials.
                        unsafe { start.add(byte).write_volatile(0) };
                    }
                }
                stays
            });
        }
        taken
    }
}

/// Returns an argument as a C string. Arguments that came from the kernel hold no NUL byte.
pub fn c_string(argument: OsString) -> CString {
    CString::new(argument.into_vec()).unwrap_or_default()
}
