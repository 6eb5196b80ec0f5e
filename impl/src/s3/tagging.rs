//! Tags of objects: those that a version was written with, until others are set.

use super::{Face, action::Action, context::RequestTags, error, metadata, names, refusal::Refusal};
use crate::{engine::Object, env::Env};
use s3s::{
    S3Request, S3Response, S3Result, dto, s3_error,
    xml::{self, Deserialize},
};
use std::collections::BTreeMap;

type Tags = BTreeMap<String, String>;

/// Most tags of an object, and the longest name and value, as in S3.
const TAGS_MAX: usize = 10;
const NAME_MAX: usize = 128;
const VALUE_MAX: usize = 256;

fn check(tags: &Tags) -> S3Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(s3_error!(InvalidTag, "an object has at most 10 tags"));
    }
    for (name, value) in tags {
        check_one(name, value)?;
    }
    Ok(())
}

/// Whether S3 would take a tag.
pub(super) fn check_one(name: &str, value: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Refusal::new("InvalidTag", "a tag's name has 1 to 128 characters"));
    }
    if value.chars().count() > VALUE_MAX {
        return Err(Refusal::new("InvalidTag", "a tag's value has at most 256 characters"));
    }
    Ok(())
}

/// Reads tags as a header carries them: `name=value&…`, percent-encoded.
pub(super) fn parse_header(text: &str) -> S3Result<Tags> {
    let mut tags = Tags::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned)
        };
        let (Ok(name), Ok(value)) = (decode(name), decode(value)) else {
            return Err(s3_error!(InvalidArgument, "x-amz-tagging is name=value pairs in UTF-8"));
        };
        if tags.insert(name, value).is_some() {
            return Err(s3_error!(InvalidTag, "a tag's name comes once"));
        }
    }
    check(&tags)?;
    Ok(tags)
}

/// Reads tags as a document carries them.
fn of_document(document: &dto::Tagging) -> S3Result<Tags> {
    let mut tags = Tags::new();
    for tag in &document.tag_set {
        let (Some(name), Some(value)) = (&tag.key, &tag.value) else {
            return Err(s3_error!(MalformedXML, "a tag has a Key and a Value"));
        };
        if tags.insert(name.clone(), value.clone()).is_some() {
            return Err(s3_error!(InvalidTag, "cannot provide multiple Tags with the same key"));
        }
    }
    check(&tags)?;
    Ok(tags)
}

/// The tags of a document, as a header carries them.
pub(super) fn header_of_document(text: &str) -> S3Result<String> {
    let mut reader = xml::Deserializer::new(text.trim().as_bytes());
    let read = dto::Tagging::deserialize(&mut reader).and_then(|document| {
        reader.expect_eof()?;
        Ok(document)
    });
    let document = read.map_err(|_| s3_error!(MalformedXML, "tagging is a document with a Tagging"))?;
    Ok(to_header(&of_document(&document)?))
}

/// Tags as a header carries them.
fn to_header(tags: &Tags) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs: Vec<_> =
        tags.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// The tags of an object.
pub(super) fn of<E: Env>(object: &Object<E>) -> Tags {
    let written = || object.content.headers.get(metadata::TAGGING).and_then(|text| parse_header(text).ok());
    object.tags.clone().or_else(written).unwrap_or_default()
}

/// The tags of an object as a header; none if it has none.
pub(super) fn header_of<E: Env>(object: &Object<E>) -> Option<String> {
    let tags = of(object);
    (!tags.is_empty()).then(|| to_header(&tags))
}

/// How many tags an object has; none if it has none.
pub(super) fn count<E: Env>(object: &Object<E>) -> Option<i32> {
    i32::try_from(of(object).len()).ok().filter(|count| *count > 0)
}

impl<E: Env> Face<E> {
    pub(super) async fn get_object_tagging(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::GetObjectTaggingOutput>> {
        let input = &request.input;
        let named = input.version_id.as_deref();
        let (bucket, object) =
            self.object(&request, &input.bucket, &input.key, named, Action::GET_OBJECT_TAGGING).await?;
        let tag = |(name, value)| dto::Tag { key: Some(name), value: Some(value) };
        let tag_set = of(&object).into_iter().map(tag).collect();
        let version_id = names::shown_version_id(object.version, object.is_null, bucket.versioning);
        Ok(S3Response::new(dto::GetObjectTaggingOutput { tag_set, version_id }))
    }

    pub(super) async fn put_object_tagging(
        &self,
        mut request: S3Request<dto::PutObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::PutObjectTaggingOutput>> {
        let tags = of_document(&request.input.tagging)?;
        request.extensions.insert(RequestTags(tags.clone()));
        let input = &request.input;
        let (named, action) = (input.version_id.as_deref(), Action::PUT_OBJECT_TAGGING);
        let version_id = self.tag(&request, &input.bucket, &input.key, named, action, tags).await?;
        Ok(S3Response::new(dto::PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn delete_object_tagging(
        &self,
        request: S3Request<dto::DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectTaggingOutput>> {
        let input = &request.input;
        let (named, action) = (input.version_id.as_deref(), Action::DELETE_OBJECT_TAGGING);
        let version_id = self.tag(&request, &input.bucket, &input.key, named, action, Tags::new()).await?;
        let output = dto::DeleteObjectTaggingOutput { version_id };
        Ok(S3Response::with_status(output, hyper::StatusCode::NO_CONTENT))
    }

    async fn tag<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        action: Action,
        tags: Tags,
    ) -> S3Result<Option<String>> {
        let (bucket, object) = self.object(request, bucket, key, version_id, action).await?;
        let version = crate::engine::VersionRef::Dot(object.version.dot);
        let change = crate::engine::Change::Tags(tags);
        self.engine.change(&bucket.id, key, Some(version), change).await.map_err(error::of)?;
        Ok(names::shown_version_id(object.version, object.is_null, bucket.versioning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_travel_in_a_header_and_too_many_are_refused() {
        let tags = Tags::from([("a b".into(), "1&2".into()), ("ä".into(), String::new())]);
        assert_eq!(parse_header(&to_header(&tags)).unwrap(), tags);
        assert_eq!(parse_header("a+b=1%262&%C3%A4=").unwrap(), tags);
        let eleven: Vec<_> = (0..11).map(|n| format!("t{n}=v")).collect();
        assert_eq!(parse_header(&eleven.join("&")).unwrap_err().code().as_str(), "InvalidTag");
        assert_eq!(parse_header("a=1&a=2").unwrap_err().code().as_str(), "InvalidTag");
        assert_eq!(
            parse_header(&format!("{}=1", "n".repeat(129))).unwrap_err().code().as_str(),
            "InvalidTag"
        );
    }
}
