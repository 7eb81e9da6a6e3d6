//! Both ways together, and archives that Velero wrote. Hostile ones are in `tests/format`.

mod parts;
mod round_trip;
mod velero;
