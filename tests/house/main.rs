//! The library and the repository, from inside: the layers, the grammar of references, masking as a
//! property, the README. The library is linked in, and with it what it does before `main`: signals
//! are blocked here, and memory is doorkey's own. So only what needs neither is here and in
//! `tests/cli`.

mod circles;
mod expansion_properties;
mod layers;
mod mask_body;
mod mask_properties;
mod pictures;
mod readme;
mod reference;
mod reference_properties;
mod schema;
