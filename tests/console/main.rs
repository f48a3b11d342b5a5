//! `doorkey console`: who may ask it what, and its page in a real browser.

mod browser;
mod foreign;
mod link;
mod look;
mod odd;
mod page;
mod place;
mod secrecy;
mod server;
mod together;
