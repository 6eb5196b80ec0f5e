//! Headers that belong to an object: kept with its content at its origin, the same at every site.
//!
//! They are one map of header names in lower case: system headers, `x-amz-meta-…`, the object's checksums, its storage
//! class, and the tags that it was written with.

use base64_simd::STANDARD;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use s3s::{S3Result, dto, s3_error};
use std::collections::BTreeMap;

/// An object's headers.
pub(super) type Headers = BTreeMap<String, String>;

/// The tags that an object was written with, as its client sent them.
pub(super) const TAGGING: &str = "x-amz-tagging";
/// The algorithm of an object's checksum.
pub(super) const CHECKSUM_ALGORITHM: &str = "x-amz-checksum-algorithm";
/// Whether an object's checksum is of the whole or of its parts' checksums.
pub(super) const CHECKSUM_TYPE: &str = "x-amz-checksum-type";

/// Headers that say something of checksums and are none.
const ABOUT_CHECKSUMS: [&str; 3] = [CHECKSUM_ALGORITHM, CHECKSUM_TYPE, "x-amz-checksum-mode"];

/// The algorithm of objects whose client names none.
pub(super) const ALGORITHM: &str = "CRC64NVME";

const META: &str = "x-amz-meta-";
/// Most bytes of user metadata, as S3 counts them.
const META_MAX: usize = 2048;

/// Headers that are kept as they come.
const KEPT: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

/// What of a request's headers belongs to the object.
pub(super) fn of_request(headers: &HeaderMap) -> S3Result<Headers> {
    let mut kept = Headers::new();
    let mut meta = 0;
    for (name, value) in headers {
        let name = name.as_str();
        if !KEPT.contains(&name) && !name.starts_with(META) && name != TAGGING {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if let Some(key) = name.strip_prefix(META) {
            meta += key.len() + value.len();
        }
        let value = if name == "content-encoding" { without_chunked(&value) } else { value };
        if !value.is_empty() || name.starts_with(META) {
            // A header that comes twice is one list.
            kept.entry(name.to_owned()).and_modify(|all| *all = format!("{all},{value}")).or_insert(value);
        }
    }
    if meta > META_MAX {
        return Err(s3_error!(MetadataTooLarge));
    }
    if let Some(tags) = kept.get(TAGGING) {
        super::tagging::parse_header(tags)?;
    }
    Ok(kept)
}

/// `aws-chunked` says how the request was sent, not what the object is.
fn without_chunked(value: &str) -> String {
    let codings: Vec<_> = value.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    codings.join(", ")
}

/// User metadata as answers carry it, but for [`in_latin1`].
pub(super) fn user(headers: &Headers) -> Option<dto::Metadata> {
    let user = headers.iter().filter(|(_, value)| latin1(value).is_none());
    let meta = user.filter_map(|(name, value)| Some((name.strip_prefix(META)?.to_owned(), value.clone())));
    let meta: dto::Metadata = meta.collect();
    (!meta.is_empty()).then_some(meta)
}

/// User metadata that goes out in the letters of HTTP, as it most likely came; `s3s` writes whatever is not ASCII as mail
/// does, which clients do not read.
pub(super) fn in_latin1(headers: &Headers) -> HeaderMap {
    let user = headers.iter().filter(|(name, _)| name.starts_with(META));
    let user = user.filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(&latin1(value)?).ok()?))
    });
    user.collect()
}

/// A text with letters that are not ASCII, but all of Latin-1.
fn latin1(text: &str) -> Option<Vec<u8>> {
    let letter = |char: char| u8::try_from(char).ok().filter(|byte| !char.is_control() || *byte == b'\t');
    Some(text).filter(|text| !text.is_ascii())?.chars().map(letter).collect()
}

/// A checksum as a value of five kinds: those of s3s' types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

/// Fills the five checksum fields of an output, whichever of s3s' types it has.
macro_rules! summed {
    ($sums:expr, $output:expr) => {{
        let (sums, mut output): (Checksums, _) = ($sums, $output);
        output.checksum_crc32 = sums.crc32;
        output.checksum_crc32c = sums.crc32c;
        output.checksum_crc64nvme = sums.crc64nvme;
        output.checksum_sha1 = sums.sha1;
        output.checksum_sha256 = sums.sha256;
        output
    }};
}
pub(super) use summed;

/// The algorithms with the names of their headers.
pub(super) const ALGORITHMS: [(&str, &str); 5] = [
    ("CRC32", "x-amz-checksum-crc32"),
    ("CRC32C", "x-amz-checksum-crc32c"),
    ("CRC64NVME", "x-amz-checksum-crc64nvme"),
    ("SHA1", "x-amz-checksum-sha1"),
    ("SHA256", "x-amz-checksum-sha256"),
];

impl Checksums {
    /// The one of an algorithm.
    pub(super) fn of(algorithm: &str, value: String) -> Self {
        let mut all = Self::default();
        if let Some(slot) = all.slot(algorithm) {
            *slot = Some(value);
        }
        all
    }

    /// The one of an algorithm, if there is one.
    pub(super) fn of_option(algorithm: Option<&str>, value: Option<String>) -> Self {
        algorithm.zip(value).map_or_else(Self::default, |(algorithm, value)| Self::of(algorithm, value))
    }

    /// Those that an object was stored with.
    pub(super) fn stored(headers: &Headers) -> Self {
        let mut all = Self::default();
        for (algorithm, header) in ALGORITHMS {
            if let (Some(slot), Some(value)) = (all.slot(algorithm), headers.get(header)) {
                *slot = Some(value.clone());
            }
        }
        all
    }

    /// The value of an algorithm.
    pub(super) fn get(mut self, algorithm: &str) -> Option<String> {
        self.slot(algorithm)?.take()
    }

    fn slot(&mut self, algorithm: &str) -> Option<&mut Option<String>> {
        Some(match algorithm {
            "CRC32" => &mut self.crc32,
            "CRC32C" => &mut self.crc32c,
            "CRC64NVME" => &mut self.crc64nvme,
            "SHA1" => &mut self.sha1,
            "SHA256" => &mut self.sha256,
            _ => return None,
        })
    }
}

/// The algorithm whose header or name a request carries.
pub(super) fn algorithm_of(headers: &HeaderMap) -> S3Result<Option<&'static str>> {
    let named = |header: &str| headers.get(header).and_then(|value| value.to_str().ok());
    let is_value = |name: &str| name.starts_with("x-amz-checksum-") && !ABOUT_CHECKSUMS.contains(&name);
    let mut sent = headers.keys().map(HeaderName::as_str).filter(|name| is_value(name));
    match (sent.next(), sent.next()) {
        (Some(_), Some(_)) => {
            return Err(s3_error!(InvalidRequest, "a request has one checksum, of one kind"));
        }
        (Some(name), None) => match ALGORITHMS.iter().find(|(_, header)| *header == name) {
            Some((algorithm, _)) => return Ok(Some(algorithm)),
            None => return Err(s3_error!(InvalidRequest, "{} is not a known checksum", name)),
        },
        (None, _) => {}
    }
    let trailer = named("x-amz-trailer").map(str::trim);
    if let Some((algorithm, _)) = ALGORITHMS.iter().find(|(_, header)| Some(*header) == trailer) {
        return Ok(Some(algorithm));
    }
    let Some(name) = named("x-amz-sdk-checksum-algorithm").or_else(|| named(CHECKSUM_ALGORITHM)) else {
        return Ok(None);
    };
    match ALGORITHMS.iter().find(|(algorithm, _)| algorithm.eq_ignore_ascii_case(name)) {
        Some((algorithm, _)) => Ok(Some(algorithm)),
        None => Err(s3_error!(InvalidRequest, "checksum algorithm {} is not known", name)),
    }
}

/// The header of an algorithm's checksums.
pub(super) fn header_of(algorithm: &str) -> &'static str {
    ALGORITHMS.iter().find(|(name, _)| *name == algorithm).map_or("", |(_, header)| header)
}

/// Bytes in base64, as checksums travel.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode_to_string(bytes)
}

/// Reads [`base64`] back.
pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode_to_vec(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_belongs_to_the_object_is_kept_and_the_rest_is_not() {
        let kept = of_request(&map(&[
            ("content-type", "text/plain"),
            ("content-encoding", "aws-chunked,gzip"),
            ("x-amz-meta-a", "1"),
            ("x-amz-date", "now"),
            ("host", "here"),
        ]));
        let expected = [("content-encoding", "gzip"), ("content-type", "text/plain"), ("x-amz-meta-a", "1")];
        assert_eq!(kept.unwrap(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert!(of_request(&map(&[("content-encoding", "aws-chunked")])).unwrap().is_empty());
        assert_eq!(without_chunked("deflate, aws-chunked,gzip"), "deflate, gzip");
        let error = of_request(&map(&[("x-amz-meta-a", &"v".repeat(META_MAX))])).unwrap_err();
        assert_eq!(error.code().as_str(), "MetadataTooLarge");
    }

    #[test]
    fn the_checksum_algorithm_is_told_by_header_trailer_or_name() {
        assert_eq!(algorithm_of(&map(&[("x-amz-checksum-sha1", "x")])).unwrap(), Some("SHA1"));
        assert_eq!(
            algorithm_of(&map(&[("x-amz-trailer", "x-amz-checksum-crc64nvme")])).unwrap(),
            Some("CRC64NVME")
        );
        assert_eq!(algorithm_of(&map(&[("x-amz-checksum-algorithm", "crc32c")])).unwrap(), Some("CRC32C"));
        assert_eq!(algorithm_of(&map(&[])).unwrap(), None);
        assert!(algorithm_of(&map(&[("x-amz-sdk-checksum-algorithm", "MD4")])).is_err());
    }
}
