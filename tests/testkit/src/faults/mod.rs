//! What goes wrong in a cloud: a proxy in front of the S3 and EC2 servers.
//!
//! A [`FaultProxy`] passes requests on byte for byte, so that signatures and presigned URLs stay
//! valid, notes every [`Call`], and does to some of them what a [`Rule`] says.

mod call;
mod ec2_calls;
mod exchange;
mod fate;
mod permissions;
mod proxy;
mod rate;
mod reply;
mod rule;
mod s3_calls;
#[cfg(test)]
mod tests;

pub use call::{Call, Service};
pub use fate::Fate;
pub use proxy::FaultProxy;
pub use rate::{peak_rate, throttled_by_bucket};
pub use rule::{Fault, Injected, Rule};
