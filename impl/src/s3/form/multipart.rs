//! A form as it comes over the wire (`multipart/form-data`): fields, then a file that is never held whole.
//!
//! The fields come first and are bounded, so that whoever sends a form is known, and what the form may do is decided,
//! before any of the file is taken in. A ready-made parser was looked at and left: it buffers whatever the connection has
//! ready, and keeps no bound on the headers of a part.
//!
//! Invariants: at most [`FIELDS_MAX`] bytes and one piece of the body are held before the file, and less than a delimiter
//! and one piece within it; what the file's stream gives up to its end is the file, and a form that breaks off, or goes on
//! with something that is no form, ends the stream with an error.
//! Source: RFC 7578 (`multipart/form-data`); RFC 2046 §5.1.1 (boundaries).

use super::file::File;
use bytes::BytesMut;
use futures_util::StreamExt;
use hyper::HeaderMap;
use memchr::memmem;
use s3s::{Body, S3Error, S3Result, s3_error};
use std::collections::BTreeMap;

/// The most bytes of a form before its file. AWS takes 20 KB, which ten long tags and their markup do not fit in.
pub(super) const FIELDS_MAX: usize = 64 << 10;
/// Longest boundary, as RFC 2046 has it.
const BOUNDARY_MAX: usize = 70;

/// The fields of a form by their names, in lower case: they mean the same in any case.
pub(super) type Fields = BTreeMap<String, String>;

/// A form up to its file.
pub(super) struct Form {
    pub(super) fields: Fields,
    /// What its sender calls the file.
    pub(super) filename: Option<String>,
    pub(super) file: File,
}

/// What is told of a form that is none.
pub(super) fn malformed(message: &'static str) -> S3Error {
    s3_error!(MalformedPOSTRequest, "{}", message)
}

/// What ends each part of a form.
pub(super) fn delimiter(headers: &HeaderMap) -> S3Result<Vec<u8>> {
    let mut kinds = headers.get_all(hyper::header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return Err(malformed("a form has one Content-Type"));
    };
    let kind = kind.to_str().map_err(|_| malformed("the Content-Type is not text"))?;
    let boundary = parameter(kind, "boundary").filter(|boundary| !boundary.is_empty());
    match boundary {
        Some(boundary) if boundary.len() <= BOUNDARY_MAX => Ok(format!("\r\n--{boundary}").into_bytes()),
        Some(_) => Err(malformed("a boundary has at most 70 characters")),
        None => Err(malformed("the Content-Type of a form names its boundary")),
    }
}

/// A body of which the beginning was read.
struct Beginning {
    body: Body,
    read: BytesMut,
}

impl Beginning {
    async fn more(&mut self) -> S3Result<()> {
        match self.body.next().await {
            _ if self.read.len() > FIELDS_MAX => Err(too_long()),
            Some(Ok(piece)) => {
                self.read.extend_from_slice(&piece);
                Ok(())
            }
            Some(Err(_)) => Err(s3_error!(IncompleteBody, "the form broke off")),
            None => Err(malformed("the form ends before its file")),
        }
    }

    /// Where this stands next, from a place on.
    async fn find(&mut self, what: &[u8], from: usize) -> S3Result<usize> {
        let mut looked_at = from;
        loop {
            if let Some(at) = memmem::find(&self.read[looked_at..], what).map(|at| looked_at + at) {
                return if at > FIELDS_MAX { Err(too_long()) } else { Ok(at) };
            }
            looked_at = (self.read.len() + 1).saturating_sub(what.len()).max(from);
            self.more().await?;
        }
    }
}

fn too_long() -> S3Error {
    s3_error!(MaxPostPreDataLengthExceededError, "the fields before the file are of 64 KiB at most")
}

/// Reads a form up to its file.
pub(super) async fn read(body: Body, delimiter: Vec<u8>) -> S3Result<Form> {
    // The first delimiter may stand at the very beginning, without the line's end that belongs to it.
    let mut form = Beginning { body, read: BytesMut::from("\r\n") };
    let mut fields = Fields::new();
    let mut at = form.find(&delimiter, 0).await?;
    loop {
        at += delimiter.len();
        while form.read.len() < at + 2 {
            form.more().await?;
        }
        if form.read[at..].starts_with(b"--") {
            return Err(s3_error!(IncorrectNumberOfFilesInPostRequest, "a form has one field named file"));
        }
        let line = form.find(b"\r\n", at).await?;
        if !form.read[at..line].iter().all(|byte| b" \t".contains(byte)) {
            return Err(malformed("a boundary stands in a line of its own"));
        }
        let head = form.find(b"\r\n\r\n", line).await?;
        let (name, filename) = disposition(form.read.get(line + 2..head).unwrap_or_default())?;
        let from = head + 4;
        if name == "file" {
            let rest = form.read.split_off(from).freeze();
            return Ok(Form { fields, filename, file: File::new(form.body, rest, &delimiter) });
        }
        at = form.find(&delimiter, from).await?;
        let value = std::str::from_utf8(&form.read[from..at]);
        let value = value.map_err(|_| malformed("a field is text in UTF-8"))?.to_owned();
        // Which of two was meant, and which of them a policy allows, nobody can tell.
        if !name.starts_with("x-ignore-") && fields.insert(name.clone(), value).is_some() {
            return Err(s3_error!(InvalidArgument, "the form has more than one field named {}", name));
        }
    }
}

/// The name of a part, in lower case, and of its file.
fn disposition(head: &[u8]) -> S3Result<(String, Option<String>)> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("the head of a field is text in UTF-8"))?;
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_end().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let is_field = |value: &&str| {
        value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("form-data"))
    };
    let value = value.filter(is_field).ok_or_else(|| malformed("a field has a Content-Disposition"))?;
    let name = parameter(value, "name").ok_or_else(|| malformed("a field has a name"))?;
    Ok((name.to_ascii_lowercase(), parameter(value, "filename")))
}

/// A parameter of a header, as in `form-data; name="key"`. Browsers write a quote as `%22`, others as `\"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (found, after) = rest.split_once('=')?;
        let (value, next) = if let Some(quoted) = after.trim_start().strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, next) = after.split_once(';').unwrap_or((after, ""));
            (value.trim().to_owned(), next)
        };
        if found.rsplit(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(name)) {
            return Some(value);
        }
        rest = next;
    }
}

/// A text up to its closing quote, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| ['"', '\\'].contains(next)) {
                Some((_, escaped)) => value.push(escaped),
                // An old browser's path.
                None => value.push('\\'),
            },
            char => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests;
