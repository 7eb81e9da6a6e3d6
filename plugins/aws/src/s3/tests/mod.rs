//! The store against a scripted wire: what real servers do only now and then.

mod properties;
mod protection;
mod read;
mod region;
mod terms;
mod upload;
mod wire;
mod write;
