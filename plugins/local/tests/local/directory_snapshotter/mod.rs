//! What the directory snapshotter does beyond the suite.

mod damage;
mod interrupted;
mod kept;
mod refused;
