//! Listings of uploads under way.
//!
//! Uploads are of the site where they were begun, so a listing goes on there.

use super::{
    Face,
    action::Action,
    error,
    list::{Encoding, is_common_prefix, page_size},
    metadata,
    multipart::initiator,
    names, ownership,
};
use crate::{
    engine::{Bucket, UploadId, UploadRow},
    env::Env,
};
use s3s::{S3Request, S3Response, S3Result, dto};

/// What a listing is of, and where it goes on.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    key_marker: &'a str,
    /// Means nothing without a key.
    upload_id_marker: &'a str,
}

/// An item of a listing.
#[derive(Debug, PartialEq, Eq)]
enum Item<T> {
    Upload(String, T),
    Prefix(String),
}

impl Asked<'_> {
    /// A page of uploads that are given by key and then in the order in which they were begun, and whether more follow.
    fn page<T>(
        self,
        all: Vec<(String, T)>,
        id_of: impl Fn(&T) -> String,
        max: usize,
    ) -> (Vec<Item<T>>, bool) {
        let of_marker = |key: &str| !self.key_marker.is_empty() && key == self.key_marker;
        // Ids are in no order: the marker is looked for. Of a key whose marker is gone, all uploads come again; a client
        // that aborts what it lists would else never see the rest.
        let has_marker = all.iter().any(|(key, row)| of_marker(key) && id_of(row) == self.upload_id_marker);
        let skips_prefix = is_common_prefix(self.key_marker, self.prefix, self.delimiter);
        let mut is_past_marker = !has_marker;
        let mut items: Vec<Item<T>> = Vec::new();
        for (key, row) in all {
            if !key.starts_with(self.prefix)
                || key.as_str() < self.key_marker
                || skips_prefix && key.starts_with(self.key_marker)
            {
                continue;
            }
            if of_marker(&key) {
                let was_past_marker = is_past_marker;
                is_past_marker |= id_of(&row) == self.upload_id_marker;
                if self.upload_id_marker.is_empty() || !was_past_marker {
                    continue;
                }
            }
            let fold = Some(self.delimiter).filter(|delimiter| !delimiter.is_empty());
            let fold = fold.and_then(|delimiter| {
                Some(self.prefix.len() + key[self.prefix.len()..].find(delimiter)? + delimiter.len())
            });
            let item = match fold {
                Some(end) => Item::Prefix(key[..end].to_owned()),
                None => Item::Upload(key, row),
            };
            match (&item, items.last()) {
                (Item::Prefix(prefix), Some(Item::Prefix(last))) if prefix == last => {}
                _ if items.len() == max => return (items, true),
                _ => items.push(item),
            }
        }
        (items, false)
    }
}

impl<E: Env> Face<E> {
    pub(super) async fn list_multipart_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::LIST_BUCKET_UPLOADS).await?;
        let input = request.input;
        let (encoding, max) = (Encoding::of(input.encoding_type.as_ref())?, page_size(input.max_uploads)?);
        let all = self.engine.uploads(&bucket.id).await.map_err(error::of)?;
        let all = all.into_iter();
        let all = all.filter_map(|row| Some((row.1.record.object_key()?.to_owned(), row))).collect();
        let asked = Asked {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            key_marker: input.key_marker.as_deref().unwrap_or_default(),
            upload_id_marker: input.upload_id_marker.as_deref().unwrap_or_default(),
        };
        let (items, is_truncated) =
            asked.page(all, |(id, _)| id.to_string(), usize::try_from(max).unwrap_or(0));
        let (next_key_marker, next_upload_id_marker) = match items.last().filter(|_| is_truncated) {
            Some(Item::Upload(key, (id, _))) => (Some(encoding.of_text(key)), Some(id.to_string())),
            Some(Item::Prefix(prefix)) => (Some(encoding.of_text(prefix)), None),
            None => (None, None),
        };
        let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Upload(key, (id, upload)) => {
                    uploads.push(shown(encoding.of_text(&key), id, &upload, &bucket));
                }
                Item::Prefix(prefix) => {
                    prefixes.push(dto::CommonPrefix { prefix: Some(encoding.of_text(&prefix)) });
                }
            }
        }
        Ok(S3Response::new(dto::ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: Some(prefixes),
            delimiter: encoding.of_delimiter(input.delimiter.as_ref()),
            encoding_type: encoding.told(),
            is_truncated: Some(is_truncated),
            key_marker: encoding.of_option(input.key_marker.as_ref()),
            max_uploads: Some(max),
            next_key_marker,
            next_upload_id_marker,
            prefix: encoding.of_option(input.prefix.as_ref()),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(uploads),
            ..Default::default()
        }))
    }
}

fn shown(key: String, id: UploadId, upload: &UploadRow, bucket: &Bucket) -> dto::MultipartUpload {
    let of = |name: &str| upload.headers.get(name).cloned();
    dto::MultipartUpload {
        checksum_algorithm: of(metadata::CHECKSUM_ALGORITHM).map(dto::ChecksumAlgorithm::from),
        checksum_type: of(metadata::CHECKSUM_TYPE).map(dto::ChecksumType::from),
        initiated: Some(names::at_ms(upload.began_ms)),
        initiator: Some(initiator(upload)),
        key: Some(key),
        owner: Some(ownership::told(&ownership::owner_of(&upload.headers, bucket))),
        storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
        upload_id: Some(id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two uploads of `a` whose ids are not in the order in which they were begun, and one of each other key.
    const ALL: [(&str, &str); 6] =
        [("a", "9"), ("a", "1"), ("b/1", "5"), ("b/2", "4"), ("b/c/3", "6"), ("d", "2")];

    fn page(asked: Asked<'_>, max: usize) -> (Vec<String>, bool) {
        let all = ALL.iter().map(|(key, id)| ((*key).to_owned(), *id)).collect();
        let (items, is_truncated) = asked.page(all, |id| (*id).to_owned(), max);
        let text = |item| match item {
            Item::Upload(key, id) => format!("{key}:{id}"),
            Item::Prefix(prefix) => prefix,
        };
        (items.into_iter().map(text).collect(), is_truncated)
    }

    #[test]
    fn pages_of_any_size_list_all_in_the_order_begun() {
        for (delimiter, expected) in [
            ("", &["a:9", "a:1", "b/1:5", "b/2:4", "b/c/3:6", "d:2"][..]),
            ("/", &["a:9", "a:1", "b/", "d:2"]),
        ] {
            for size in 1..=expected.len() {
                let (mut found, mut marker) = (Vec::new(), (String::new(), String::new()));
                loop {
                    let asked = Asked {
                        delimiter,
                        key_marker: &marker.0,
                        upload_id_marker: &marker.1,
                        ..Asked::default()
                    };
                    let (items, is_truncated) = page(asked, size);
                    let last = items.last().unwrap().clone();
                    let (key, id) = last.split_once(':').unwrap_or((&last, ""));
                    marker = (key.to_owned(), id.to_owned());
                    found.extend(items);
                    if !is_truncated {
                        break;
                    }
                }
                assert_eq!(found, expected, "pages of {size}");
            }
        }
    }

    #[test]
    fn a_marker_that_is_gone_leaves_nothing_out() {
        let gone = Asked { key_marker: "a", upload_id_marker: "gone", ..Asked::default() };
        assert_eq!(page(gone, 2).0, ["a:9", "a:1"]);
        assert_eq!(page(Asked { upload_id_marker: "", ..gone }, 1).0, ["b/1:5"]);
        assert_eq!(
            page(Asked { prefix: "b/", delimiter: "/", ..Asked::default() }, 9).0,
            ["b/1:5", "b/2:4", "b/c/"]
        );
        assert_eq!(
            page(Asked { prefix: "b/", delimiter: "/", key_marker: "b/", ..Asked::default() }, 1).0,
            ["b/1:5"]
        );
    }
}
