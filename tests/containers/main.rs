//! doorkey in real containers, by podman, and the examples as they are run.

mod ci_examples;
mod entrypoint;
mod examples;
mod files;
mod join;
mod newcomer;
mod packages;
mod podman;
mod trust;
mod yaml;
