//! The repository itself: its layers, its README, and the release's binary for arm64.

mod arm64;
mod layers;
mod readme;
