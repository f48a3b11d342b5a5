//! doorkey in real containers, by podman, and the examples as they are run.

mod entrypoint;
mod examples;
mod files;
mod join;
mod packages;
mod podman;
mod trust;
mod yaml;
