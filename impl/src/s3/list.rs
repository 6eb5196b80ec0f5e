//! Listings of objects and of versions.
//!
//! Where a listing goes on is told in keys and version ids alone, so a client may go on at another site.

use super::{Face, action::Action, error, metadata, names, ownership};
use crate::{
    engine::{After, Bucket, Item, ListRequest, Listed, Page, Summary, VersionKind},
    env::Env,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

/// Most items of a page, as in S3.
const PAGE_MAX: i32 = 1000;

/// What stays as it is in an encoded key.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// How keys are written in an answer.
#[derive(Clone, Copy)]
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn of(encoding: Option<&dto::EncodingType>) -> S3Result<Self> {
        match encoding.map(dto::EncodingType::as_str) {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(_) => Err(s3_error!(InvalidArgument, "invalid Encoding Method specified in Request")),
        }
    }

    pub(super) fn of_text(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, ENCODED).to_string() } else { text.to_owned() }
    }

    pub(super) fn of_option(self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.of_text(text))
    }

    /// An empty delimiter delimits nothing, and is not told.
    pub(super) fn of_delimiter(self, delimiter: Option<&String>) -> Option<String> {
        self.of_option(delimiter.filter(|delimiter| !delimiter.is_empty()))
    }

    pub(super) fn told(self) -> Option<dto::EncodingType> {
        self.0.then(|| dto::EncodingType::from_static(dto::EncodingType::URL))
    }
}

/// How many items a page has, of those asked for.
pub(super) fn page_size(asked: Option<i32>) -> S3Result<i32> {
    match asked {
        None => Ok(PAGE_MAX),
        Some(asked) if asked < 0 => Err(s3_error!(InvalidArgument, "a page cannot have less than no items")),
        Some(asked) => Ok(asked.min(PAGE_MAX)),
    }
}

/// Whether a text that a listing goes on after is one of its common prefixes. The delimiter that folds comes after the
/// prefix: below `c/`, the marker `c/` is a key.
pub(super) fn is_common_prefix(marker: &str, prefix: &str, delimiter: &str) -> bool {
    !delimiter.is_empty() && marker.strip_prefix(prefix).is_some_and(|rest| rest.ends_with(delimiter))
}

/// Where a listing begins that goes on after a key, or after the common prefix that the key is folded into.
fn after(marker: Option<&str>, prefix: Option<&str>, delimiter: Option<&str>) -> After {
    match marker {
        None | Some("") => After::Start,
        Some(marker)
            if is_common_prefix(marker, prefix.unwrap_or_default(), delimiter.unwrap_or_default()) =>
        {
            After::Prefix(marker.to_owned())
        }
        Some(marker) => After::Key(marker.to_owned()),
    }
}

fn token_of(next: &After) -> Option<String> {
    let text = match next {
        After::Key(key) => format!("k{key}"),
        After::Prefix(prefix) => format!("p{prefix}"),
        After::Start | After::Version(..) => return None,
    };
    Some(metadata::base64(text.as_bytes()))
}

fn of_token(token: &str) -> S3Result<After> {
    let text = metadata::unbase64(token).and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.split_at_checked(1)) {
        Some(("k", key)) => Ok(After::Key(key.to_owned())),
        Some(("p", prefix)) => Ok(After::Prefix(prefix.to_owned())),
        _ => Err(s3_error!(InvalidArgument, "the continuation token provided is incorrect")),
    }
}

/// A page as answers carry it.
struct Shown {
    contents: Vec<dto::Object>,
    prefixes: Vec<dto::CommonPrefix>,
}

impl Shown {
    fn of(page: Page, encoding: Encoding, bucket: &Bucket, with_owner: bool) -> Self {
        let mut shown = Self { contents: Vec::new(), prefixes: Vec::new() };
        for item in page.items {
            match item {
                Item::Prefix(prefix) => {
                    shown.prefixes.push(dto::CommonPrefix { prefix: Some(encoding.of_text(&prefix)) });
                }
                Item::Version(listed) => {
                    let owner =
                        listed.content.as_ref().filter(|_| with_owner).map(|content| owner(content, bucket));
                    shown.contents.extend(object(listed, encoding, owner));
                }
            }
        }
        shown
    }
}

fn owner(content: &Summary, bucket: &Bucket) -> dto::Owner {
    ownership::told(&ownership::owner_of(&content.headers, bucket))
}

fn object(listed: Listed, encoding: Encoding, owner: Option<dto::Owner>) -> Option<dto::Object> {
    let content = listed.content?;
    let of_checksum = |name: &str| content.headers.get(name).cloned();
    Some(dto::Object {
        checksum_algorithm: of_checksum(metadata::CHECKSUM_ALGORITHM)
            .map(|algorithm| vec![dto::ChecksumAlgorithm::from(algorithm)]),
        checksum_type: of_checksum(metadata::CHECKSUM_TYPE).map(dto::ChecksumType::from),
        e_tag: Some(dto::ETag::Strong(content.etag)),
        key: Some(encoding.of_text(&listed.key)),
        last_modified: Some(names::written_at(listed.version)),
        owner,
        restore_status: None,
        size: Some(content.size.cast_signed()),
        storage_class: Some(dto::ObjectStorageClass::from_static(dto::ObjectStorageClass::STANDARD)),
    })
}

impl<E: Env> Face<E> {
    pub(super) async fn list_objects(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> S3Result<S3Response<dto::ListObjectsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::LIST_BUCKET).await?;
        let input = request.input;
        let (encoding, max) = (Encoding::of(input.encoding_type.as_ref())?, page_size(input.max_keys)?);
        let page = self.engine.list(ListRequest {
            bucket: bucket.id.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: after(input.marker.as_deref(), input.prefix.as_deref(), input.delimiter.as_deref()),
            max: usize::try_from(max).unwrap_or(0),
            all: false,
        });
        let page = page.await.map_err(error::of)?;
        let next = page.next.clone();
        let has_delimiter = input.delimiter.as_ref().is_some_and(|delimiter| !delimiter.is_empty());
        let next_marker = next.as_ref().filter(|_| has_delimiter).and_then(|next| match next {
            After::Key(text) | After::Prefix(text) => Some(encoding.of_text(text)),
            After::Start | After::Version(..) => None,
        });
        let Shown { contents, prefixes } = Shown::of(page, encoding, &bucket, true);
        Ok(S3Response::new(dto::ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(encoding.of_option(input.prefix.as_ref()).unwrap_or_default()),
            marker: Some(encoding.of_option(input.marker.as_ref()).unwrap_or_default()),
            max_keys: Some(max),
            is_truncated: Some(next.is_some()),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: encoding.of_delimiter(input.delimiter.as_ref()),
            next_marker,
            encoding_type: encoding.told(),
            ..Default::default()
        }))
    }

    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::LIST_BUCKET).await?;
        let input = request.input;
        let (encoding, max) = (Encoding::of(input.encoding_type.as_ref())?, page_size(input.max_keys)?);
        let after = match input.continuation_token.as_deref() {
            Some(token) if !token.is_empty() => of_token(token)?,
            _ => after(input.start_after.as_deref(), input.prefix.as_deref(), input.delimiter.as_deref()),
        };
        let page = self.engine.list(ListRequest {
            bucket: bucket.id.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            max: usize::try_from(max).unwrap_or(0),
            all: false,
        });
        let page = page.await.map_err(error::of)?;
        let next = page.next.clone();
        let key_count = i32::try_from(page.items.len()).ok();
        let fetch_owner = input.fetch_owner.unwrap_or(false);
        let Shown { contents, prefixes } = Shown::of(page, encoding, &bucket, fetch_owner);
        Ok(S3Response::new(dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encoding.of_option(input.prefix.as_ref()).unwrap_or_default()),
            max_keys: Some(max),
            key_count,
            continuation_token: input.continuation_token,
            is_truncated: Some(next.is_some()),
            next_continuation_token: next.as_ref().and_then(token_of),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            delimiter: encoding.of_delimiter(input.delimiter.as_ref()),
            encoding_type: encoding.told(),
            start_after: encoding.of_option(input.start_after.as_ref()),
            ..Default::default()
        }))
    }

    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<dto::ListObjectVersionsInput>,
    ) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::LIST_BUCKET_VERSIONS).await?;
        let input = request.input;
        let (encoding, max) = (Encoding::of(input.encoding_type.as_ref())?, page_size(input.max_keys)?);
        let page = self.engine.list(ListRequest {
            bucket: bucket.id.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: match (&input.key_marker, input.version_id_marker.as_deref().filter(|id| !id.is_empty())) {
                (Some(key), Some(id)) => match names::parse_version_id(id) {
                    Some(stamp) => After::Version(key.clone(), stamp),
                    None => return Err(s3_error!(InvalidArgument, "invalid version id specified")),
                },
                (None, Some(_)) => {
                    return Err(s3_error!(
                        InvalidArgument,
                        "a version-id marker cannot be specified without a key marker"
                    ));
                }
                (key, None) => after(key.as_deref(), input.prefix.as_deref(), input.delimiter.as_deref()),
            },
            max: usize::try_from(max).unwrap_or(0),
            all: true,
        });
        let page = page.await.map_err(error::of)?;
        let next = page.next.clone();
        let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
        for item in page.items {
            let listed = match item {
                Item::Prefix(prefix) => {
                    prefixes.push(dto::CommonPrefix { prefix: Some(encoding.of_text(&prefix)) });
                    continue;
                }
                Item::Version(listed) => listed,
            };
            let id = if listed.is_null { "null".to_owned() } else { names::version_id(listed.version) };
            let is_latest = Some(listed.kind == VersionKind::Current);
            let last_modified = Some(names::written_at(listed.version));
            let Some(content) = &listed.content else {
                markers.push(dto::DeleteMarkerEntry {
                    is_latest,
                    key: Some(encoding.of_text(&listed.key)),
                    last_modified,
                    owner: Some(ownership::told(bucket.id.owner())),
                    version_id: Some(id),
                });
                continue;
            };
            let owner = owner(content, &bucket);
            versions.extend(object(listed, encoding, Some(owner)).map(|object| dto::ObjectVersion {
                checksum_algorithm: object.checksum_algorithm,
                checksum_type: object.checksum_type,
                e_tag: object.e_tag,
                is_latest,
                key: object.key,
                last_modified,
                owner: object.owner,
                restore_status: None,
                size: object.size,
                storage_class: Some(dto::ObjectVersionStorageClass::from_static(
                    dto::ObjectVersionStorageClass::STANDARD,
                )),
                version_id: Some(id),
            }));
        }
        // A null version's id says nothing of its place: where to go on is always told by the version's own.
        let (next_key_marker, next_version_id_marker) = match &next {
            Some(After::Version(key, stamp)) => {
                (Some(encoding.of_text(key)), Some(names::version_id(*stamp)))
            }
            Some(After::Prefix(text) | After::Key(text)) => (Some(encoding.of_text(text)), None),
            Some(After::Start) | None => (None, None),
        };
        Ok(S3Response::new(dto::ListObjectVersionsOutput {
            common_prefixes: Some(prefixes),
            delete_markers: Some(markers),
            delimiter: encoding.of_delimiter(input.delimiter.as_ref()),
            encoding_type: encoding.told(),
            is_truncated: Some(next.is_some()),
            key_marker: Some(encoding.of_option(input.key_marker.as_ref()).unwrap_or_default()),
            max_keys: Some(max),
            name: Some(input.bucket),
            next_key_marker,
            next_version_id_marker,
            prefix: Some(encoding.of_option(input.prefix.as_ref()).unwrap_or_default()),
            version_id_marker: input.version_id_marker,
            versions: Some(versions),
            ..Default::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_say_where_to_go_on_and_made_up_ones_are_refused() {
        for next in [After::Key("a/b".into()), After::Prefix("ä/".into())] {
            assert_eq!(of_token(&token_of(&next).unwrap()).unwrap(), next);
        }
        for token in ["", "x", "%%", &metadata::base64(b"zkey"), &metadata::base64(&[b'k', 0xff])] {
            assert!(of_token(token).is_err(), "{token}");
        }
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_skips_all_of_it() {
        assert_eq!(after(Some("a/"), None, Some("/")), After::Prefix("a/".into()));
        assert_eq!(after(Some("a/"), Some("a/"), Some("/")), After::Key("a/".into()));
        assert_eq!(after(Some("a/b/"), Some("a/"), Some("/")), After::Prefix("a/b/".into()));
        assert_eq!(after(Some("a/"), None, None), After::Key("a/".into()));
        assert_eq!(after(Some("a/b"), None, Some("/")), After::Key("a/b".into()));
        assert_eq!(after(Some(""), None, None), After::Start);
        assert_eq!(Encoding(true).of_text("a b+ü/~"), "a%20b%2B%C3%BC/~");
    }
}
