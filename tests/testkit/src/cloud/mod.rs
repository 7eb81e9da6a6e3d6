//! The cloud on this machine: an S3 server and an EC2 server, and what goes wrong in them.

mod account;
mod ec2;
mod ec2_server;
mod s3;
mod s3_server;
mod signature;

pub use account::Cloud;
pub use ec2::{Ec2, NewVolume, Snapshot, Tags, Volume};
pub use ec2_server::{ACCOUNT, Ec2Server, REGION};
pub use s3::S3;
pub use s3_server::{S3Options, S3Server};
