//! The same on the cloud's own parts: backups in S3, volumes in EBS.

mod bucket;
mod claims;
mod faults;
mod finish;
mod lock;
mod many;
mod policies;
mod recovery;
mod velero;
