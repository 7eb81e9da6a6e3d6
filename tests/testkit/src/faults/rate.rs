//! How fast calls came.

use std::time::{Duration, Instant};

use super::call::Call;

/// The most calls of a kind that came within any one second.
pub fn peak_rate(calls: &[Call], kind: &str) -> usize {
    let times = times(calls, kind);
    let within = |start: &Instant| {
        let end = *start + Duration::from_secs(1);
        times.iter().filter(|time| (*start..end).contains(*time)).count()
    };
    times.iter().map(within).max().unwrap_or_default()
}

/// How many calls of a kind a token bucket would have throttled.
///
/// That is how EC2 limits rates: the bucket holds `capacity` tokens, gets `refill` new ones each
/// second, and a call takes one.
pub fn throttled_by_bucket(calls: &[Call], kind: &str, capacity: u32, refill: u32) -> usize {
    let (capacity, refill) = (f64::from(capacity), f64::from(refill));
    let (mut tokens, mut last, mut throttled) = (capacity, None, 0);
    for time in times(calls, kind) {
        let since = last.map_or(Duration::ZERO, |last| time - last);
        tokens = since.as_secs_f64().mul_add(refill, tokens).min(capacity);
        last = Some(time);
        if tokens < 1.0 {
            throttled += 1;
        } else {
            tokens -= 1.0;
        }
    }
    throttled
}

fn times(calls: &[Call], kind: &str) -> Vec<Instant> {
    let mut times: Vec<_> = calls.iter().filter(|one| one.kind == kind).map(|one| one.at).collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::super::Service;
    use super::*;

    fn calls(milliseconds: &[u64]) -> Vec<Call> {
        let request = Request::post("/").body(()).unwrap().into_parts().0;
        let call = Call::new(Service::Ec2, &request, &Bytes::from_static(b"Action=CreateVolume"));
        let after = |time: &u64| call.at + Duration::from_millis(*time);
        milliseconds.iter().map(|time| Call { at: after(time), ..call.clone() }).collect()
    }

    #[test]
    fn the_peak_is_that_of_the_busiest_second() {
        let calls = calls(&[0, 900, 1000, 1100, 1899, 1901, 5000]);
        assert_eq!(peak_rate(&calls, "CreateVolume"), 4);
        assert_eq!(peak_rate(&calls, "CreateSnapshot"), 0);
    }

    #[test]
    fn a_token_bucket_takes_a_burst_and_then_its_refill() {
        let throttled = |times: &[u64]| throttled_by_bucket(&calls(times), "CreateVolume", 2, 1);
        assert_eq!(throttled(&[0, 0, 1000, 2000, 3000]), 0);
        assert_eq!(throttled(&[0, 0, 0, 1000]), 1);
        assert_eq!(throttled(&[0, 0, 500, 900, 1001]), 2);
    }
}
