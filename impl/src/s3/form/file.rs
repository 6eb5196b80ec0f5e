//! The file of a form as a stream: up to the delimiter that ends it, which may lie across any pieces of the body.

use super::multipart::malformed;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use memchr::memmem;
use s3s::{Body, S3Error, s3_error};
use std::{
    ops::RangeInclusive,
    pin::Pin,
    task::{Context, Poll},
};

/// The most bytes that may follow the file: more fields, which are ignored, such as the button that sent the form.
const AFTER_MAX: usize = 64 << 10;

/// The file of a form. Ends with an error if the form does not end well, or the file's size is out of range.
pub(super) struct File {
    body: Body,
    delimiter: memmem::Finder<'static>,
    /// Came, and was not given on.
    held: Bytes,
    state: State,
    size: u64,
    sizes: RangeInclusive<u64>,
}

#[derive(Clone, Copy)]
enum State {
    Within,
    /// Behind the delimiter, whose line must end.
    Ending,
    /// Behind the file; so many bytes came since.
    After(usize),
    Ended,
}

impl File {
    /// The file that begins with what was read, and goes on with the rest of the body.
    pub(super) fn new(body: Body, read: Bytes, delimiter: &[u8]) -> Self {
        let delimiter = memmem::Finder::new(delimiter).into_owned();
        Self { body, delimiter, held: read, state: State::Within, size: 0, sizes: 0..=u64::MAX }
    }

    /// The same, of a size in this range.
    pub(super) fn of_size(mut self, sizes: RangeInclusive<u64>) -> Self {
        self.sizes = sizes;
        self
    }

    /// What of that which is held belongs to the file. The beginning of a delimiter may be the file's too, or not.
    fn take(&mut self) -> Result<Bytes, S3Error> {
        let delimiter = self.delimiter.needle();
        let piece = if let Some(at) = self.delimiter.find(&self.held) {
            let piece = self.held.split_to(at);
            let _ = self.held.split_to(delimiter.len());
            self.state = State::Ending;
            piece
        } else {
            let begun = (1..delimiter.len()).rev().find(|length| self.held.ends_with(&delimiter[..*length]));
            self.held.split_to(self.held.len() - begun.unwrap_or(0))
        };
        self.size += piece.len() as u64;
        if self.size > *self.sizes.end() {
            return Err(s3_error!(
                EntityTooLarge,
                "your proposed upload exceeds the maximum allowed size, {} bytes",
                self.sizes.end()
            ));
        }
        if matches!(self.state, State::Ending) && self.size < *self.sizes.start() {
            return Err(s3_error!(
                EntityTooSmall,
                "your proposed upload is smaller than the minimum allowed size, {} bytes",
                self.sizes.start()
            ));
        }
        Ok(piece)
    }

    /// Looks at the line of the delimiter: the form's end, or that of a line with another field below it.
    fn end_line(&mut self) -> Result<(), S3Error> {
        let held = &self.held[..];
        let padding = held.iter().take_while(|byte| b" \t".contains(byte)).count();
        if held.starts_with(b"--") || held[padding..].starts_with(b"\r\n") {
            self.state = State::After(0);
            return Ok(());
        }
        let is_open =
            held == b"-" || (held.len() <= AFTER_MAX && [&b""[..], b"\r"].contains(&&held[padding..]));
        if is_open { Ok(()) } else { Err(malformed("a boundary stands in a line of its own")) }
    }

    /// The next piece, as far as that is decided by what is held; none if more must come.
    fn advance(&mut self) -> Result<Option<Bytes>, S3Error> {
        if matches!(self.state, State::Within) {
            let piece = self.take()?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        if matches!(self.state, State::Ending) {
            self.end_line()?;
        }
        if let State::After(count) = &mut self.state {
            *count += std::mem::take(&mut self.held).len();
            if *count > AFTER_MAX {
                return Err(malformed("the file is the last field of a form"));
            }
        }
        Ok(None)
    }

    fn push(&mut self, piece: Bytes) {
        if self.held.is_empty() {
            self.held = piece;
            return;
        }
        // Less than a delimiter: the piece is copied, which nothing but the beginning of one brings about.
        let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
        joined.extend_from_slice(&self.held);
        joined.extend_from_slice(&piece);
        self.held = joined.freeze();
    }
}

impl Stream for File {
    type Item = Result<Bytes, S3Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if matches!(self.state, State::Ended) {
                return Poll::Ready(None);
            }
            let error = match self.advance() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) => match std::task::ready!(Pin::new(&mut self.body).poll_next(cx)) {
                    Some(Ok(piece)) => {
                        self.push(piece);
                        continue;
                    }
                    None if matches!(self.state, State::After(_)) => {
                        self.state = State::Ended;
                        continue;
                    }
                    Some(Err(_)) | None => s3_error!(IncompleteBody, "the form broke off"),
                },
                Err(error) => error,
            };
            self.state = State::Ended;
            return Poll::Ready(Some(Err(error)));
        }
    }
}
