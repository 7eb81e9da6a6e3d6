//! Both ways together, foreign archives, and damaged ones.

mod craft;
mod damage;
mod hostile;
mod index;
mod round_trip;
mod velero;
