//! LOC data (RFC 1876): degrees and metres to sixteen octets and back.

use super::fault::fault;
use crate::core::model::Refusal;

/// The equator and the prime meridian, in thousandths of an arc second (RFC 1876, 2).
const MIDDLE: u32 = 1 << 31;
/// Centimetres below the WGS 84 spheroid that altitude counts from.
const BELOW: i64 = 10_000_000;

/// The wire form of LOC words.
pub(super) fn parse(words: &[&str]) -> Result<Vec<u8>, Refusal> {
    let broken = || {
        fault(
            "this is no LOC value",
            "write degrees, minutes, seconds, N or S, the same with E or W, then altitude, size and precisions in metres: `52 22 23.000 N 4 53 32.000 E -2.00m 1.00m 10000.00m 10.00m`",
        )
    };
    let mut rest = words;
    let latitude = angle(&mut rest, ["N", "S"], 90).ok_or_else(broken)?;
    let longitude = angle(&mut rest, ["E", "W"], 180).ok_or_else(broken)?;
    let (altitude, sizes) = rest.split_first().ok_or_else(broken)?;
    let altitude = u32::try_from(centimetres(altitude).ok_or_else(broken)? + BELOW).map_err(|_| broken())?;
    // Size 1 m, horizontal precision 10 km, vertical 10 m, as RFC 1876 says where they are left out.
    let mut octets = [0x12, 0x16, 0x13];
    if sizes.len() > octets.len() {
        return Err(broken());
    }
    for (octet, word) in octets.iter_mut().zip(sizes) {
        *octet = centimetres(word).and_then(exponent).ok_or_else(broken)?;
    }
    let mut wire = vec![0, octets[0], octets[1], octets[2]];
    for number in [latitude, longitude, altitude] {
        wire.extend(number.to_be_bytes());
    }
    Ok(wire)
}

fn angle(rest: &mut &[&str], signs: [&str; 2], most: u32) -> Option<u32> {
    let end = rest.iter().position(|word| signs.contains(&word.to_ascii_uppercase().as_str()))?;
    let (words, after) = rest.split_at(end);
    if words.is_empty() || words.len() > 3 {
        return None;
    }
    let whole = |word: Option<&&str>, below: u32| word.map_or(Some(0), |word| word.parse::<u32>().ok().filter(|number| *number < below));
    let degrees = whole(words.first(), most + 1)?;
    let minutes = whole(words.get(1), 60)?;
    let seconds = words.get(2).map_or(Some(0), |word| decimal(word, 3)).filter(|milli| (0..60_000).contains(milli))?;
    let milli = (degrees * 60 + minutes) * 60_000 + u32::try_from(seconds).ok()?;
    if milli > most * 3_600_000 {
        return None;
    }
    let positive = after.first()?.eq_ignore_ascii_case(signs[0]);
    *rest = &after[1..];
    Some(if positive { MIDDLE + milli } else { MIDDLE - milli })
}

/// A decimal text times ten to the `digits`; further digits are refused unless zero.
fn decimal(text: &str, digits: usize) -> Option<i64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let cut = fraction.len().min(digits);
    if fraction[cut..].bytes().any(|byte| byte != b'0') {
        return None;
    }
    let number: i64 = format!("{whole}{:0<digits$}", &fraction[..cut]).parse().ok()?;
    Some(if negative { -number } else { number })
}

fn centimetres(word: &str) -> Option<i64> {
    decimal(word.strip_suffix(['m', 'M']).unwrap_or(word), 2)
}

/// Centimetres as a digit and a power of ten, rounded down to what one octet holds.
fn exponent(centimetres: i64) -> Option<u8> {
    let mut mantissa = u64::try_from(centimetres).ok().filter(|number| *number <= 9_000_000_000)?;
    let mut power = 0u8;
    while mantissa > 9 {
        mantissa /= 10;
        power += 1;
    }
    Some((mantissa as u8) << 4 | power)
}

/// The canonical text of LOC octets; `None` when they are of another version or length.
pub(super) fn print(wire: &[u8]) -> Option<String> {
    let [0, size, horizontal, vertical, a @ ..] = wire else { return None };
    let numbers: [u8; 12] = a.try_into().ok()?;
    let number = |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
    let metres = |centimetres: i64| format!("{}{}.{:02}m", if centimetres < 0 { "-" } else { "" }, centimetres.abs() / 100, centimetres.abs() % 100);
    let power = |octet: u8| {
        let (mantissa, power) = (octet >> 4, octet & 15);
        (mantissa <= 9 && power <= 9).then(|| metres(i64::from(mantissa) * 10i64.pow(u32::from(power))))
    };
    Some(format!(
        "{} {} {} {} {} {}",
        degrees(number(0), ["N", "S"], 90)?,
        degrees(number(4), ["E", "W"], 180)?,
        metres(i64::from(number(8)) - BELOW),
        power(*size)?,
        power(*horizontal)?,
        power(*vertical)?
    ))
}

fn degrees(number: u32, signs: [&str; 2], most: u32) -> Option<String> {
    let milli = number.abs_diff(MIDDLE);
    let sign = signs[usize::from(number < MIDDLE)];
    (milli <= most * 3_600_000).then(|| format!("{} {} {}.{:03} {sign}", milli / 3_600_000, milli / 60_000 % 60, milli / 1000 % 60, milli % 1000))
}
