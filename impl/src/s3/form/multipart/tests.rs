use super::*;
use bytes::Bytes;
use futures_util::TryStreamExt;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use proptest::prelude::*;
use s3s::dto::StreamingBlob;

const DELIMITER: &str = "\r\n--b";
/// A form with two fields and a file that looks like the end of itself.
const FORM: &str = "--b\r\n\
    Content-Disposition: form-data; name=\"kEy\"\r\n\r\n\
    user/k\r\n\
    --b \t\r\n\
    content-type: text/plain\r\n\
    content-disposition: form-data; filename=\"x\"; name=acl\r\n\r\n\
    \r\n--b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".txt\"\r\n\
    Content-Type: text/plain\r\n\r\n\
    one\r\n--a\r\n--\r\n\r\n\r\n-two\r\n--b--\r\n";
const FILE: &str = "one\r\n--a\r\n--\r\n\r\n\r\n-two";

fn body(pieces: impl IntoIterator<Item = Bytes, IntoIter: Send + Sync + 'static>) -> Body {
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    Body::from(StreamingBlob::wrap(futures_util::stream::iter(pieces)))
}

/// The fields, the name of the file and the file, or the code of the refusal.
fn read_pieces(pieces: Vec<Bytes>) -> Result<(Fields, Option<String>, Vec<Bytes>), String> {
    let read = async {
        let form = read(body(pieces), DELIMITER.into()).await?;
        let file: Vec<Bytes> = form.file.try_collect().await?;
        Ok((form.fields, form.filename, file))
    };
    let mut read = std::pin::pin!(read);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(read) = std::future::Future::poll(read.as_mut(), &mut cx) else {
        panic!("everything is there")
    };
    read.map_err(|error: S3Error| error.code().as_str().to_owned())
}

fn read_text(text: &str) -> Result<(Fields, Option<String>, String), String> {
    let (fields, filename, file) = read_pieces(vec![Bytes::copy_from_slice(text.as_bytes())])?;
    Ok((fields, filename, String::from_utf8(file.concat()).unwrap()))
}

fn code(text: &str) -> String {
    read_text(text).expect_err(text)
}

#[test]
fn fields_come_in_any_case_and_order_and_the_file_comes_last() {
    let (fields, filename, file) = read_text(FORM).unwrap();
    assert_eq!(fields, [("acl", ""), ("key", "user/k")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!(filename.as_deref(), Some("a \"b\".txt"));
    assert_eq!(file, FILE);
    // What stands before the form and behind its file is nobody's.
    let button = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nother\r\n--b--";
    let longer =
        format!("for old readers\r\n{}{button}", FORM.trim_end_matches("--\r\n").to_owned() + "\r\n");
    assert_eq!(read_text(&longer).unwrap().0, fields);
    assert_eq!(read_text(&longer).unwrap().2, FILE);
    let ignored = FORM.replace("kEy", "x-ignore-key");
    assert_eq!(read_text(&ignored).unwrap().0.keys().collect::<Vec<_>>(), ["acl"]);
    let empty = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\r\n--b--";
    assert_eq!(read_text(empty).unwrap(), (Fields::new(), None, String::new()));
}

#[test]
fn what_is_no_form_or_breaks_off_is_refused() {
    let malformed = "MalformedPOSTRequest";
    for (from, to, expected) in [
        ("name=\"kEy\"", "nam=\"kEy\"", malformed),
        ("name=\"kEy\"", "name=\"kEy", malformed),
        ("form-data; name=\"kEy\"", "attachment; name=\"kEy\"", malformed),
        ("Content-Disposition: form-data; name=\"kEy\"\r\n", "", malformed),
        ("--b \t\r\n", "--b x\r\n", malformed),
        ("name=acl", "name=key", "InvalidArgument"),
        ("name=\"file\"", "name=\"fil\"", "IncorrectNumberOfFilesInPostRequest"),
        ("-two\r\n--b--", "-two\r\n--bx--", malformed),
        ("-two\r\n--b--", "-two\r\n--b-x", malformed),
        ("-two\r\n--b--\r\n", "-two\r\n--b-", "IncompleteBody"),
        ("-two\r\n--b--\r\n", "-two\r\n--b", "IncompleteBody"),
        ("-two\r\n--b--\r\n", "-two\r\n--", "IncompleteBody"),
    ] {
        assert_ne!(FORM.replacen(from, to, 1), FORM, "{from}");
        assert_eq!(code(&FORM.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
    assert_eq!(code(""), malformed);
    assert_eq!(code("--b--\r\n"), "IncorrectNumberOfFilesInPostRequest");
    let ends = FORM.find("-two\r\n--b--").unwrap() + "-two\r\n--b--".len();
    for at in 0..ends {
        assert!(read_text(&FORM[..at]).is_err(), "{at}");
    }
    let strange = [FORM.as_bytes()[..60].to_vec(), b"\xff".to_vec(), FORM.as_bytes()[60..].to_vec()].concat();
    assert_eq!(read_pieces(vec![strange.into()]).unwrap_err(), malformed, "no UTF-8");
}

#[test]
fn what_stands_before_and_behind_the_file_is_bounded() {
    let long = "v".repeat(FIELDS_MAX);
    let (field, too_long) = (FORM.replace("user/k", &long), "MaxPostPreDataLengthExceededError");
    assert_eq!(code(&field), too_long);
    assert_eq!(code(&FORM.replace("text/plain", &long)), too_long);
    assert_eq!(code(&format!("{long}\r\n{FORM}")), too_long);
    // One byte after the other, and never the end.
    let bytes = field.into_bytes().into_iter().map(|byte| Bytes::from(vec![byte])).collect();
    assert_eq!(read_pieces(bytes).unwrap_err(), too_long);
    assert_eq!(code(&format!("{FORM}{long}")), "MalformedPOSTRequest");
    let large = FORM.replace("one", &long.repeat(100));
    assert_eq!(read_text(&large).unwrap().2.len(), FILE.len() - 3 + FIELDS_MAX * 100);
}

#[test]
fn a_file_is_of_its_size_or_refused() {
    let told = |sizes: std::ops::RangeInclusive<u64>| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let read = async {
            let form = read(body([Bytes::from_static(FORM.as_bytes())]), DELIMITER.into()).await?;
            form.file.of_size(sizes).try_collect::<Vec<_>>().await
        };
        match std::future::Future::poll(std::pin::pin!(read), &mut cx) {
            std::task::Poll::Ready(read) => read.err().map(|error: S3Error| error.code().as_str().to_owned()),
            std::task::Poll::Pending => panic!("everything is there"),
        }
    };
    let size = FILE.len() as u64;
    assert_eq!(told(size..=size), None);
    assert_eq!(told(0..=size - 1).as_deref(), Some("EntityTooLarge"));
    assert_eq!(told(size + 1..=u64::MAX).as_deref(), Some("EntityTooSmall"));
}

#[test]
fn a_boundary_is_read_from_the_type() {
    let of = |kinds: &[&'static str]| {
        let headers = kinds.iter().map(|kind| (CONTENT_TYPE, HeaderValue::from_static(kind))).collect();
        delimiter(&headers).ok().map(|delimiter| String::from_utf8(delimiter).unwrap())
    };
    assert_eq!(of(&["multipart/form-data; boundary=b"]).as_deref(), Some("\r\n--b"));
    assert_eq!(of(&["Multipart/Form-Data;Charset=x; Boundary=\"a b\" ; x=y"]).as_deref(), Some("\r\n--a b"));
    assert_eq!(of(&["multipart/form-data"]), None);
    assert_eq!(of(&["multipart/form-data; boundary="]), None);
    assert_eq!(of(&["multipart/form-data; boundary=b", "multipart/form-data; boundary=c"]), None);
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71)).leak();
    assert_eq!(of(&[long]), None);
}

proptest! {
    #[test]
    fn a_form_is_the_same_in_any_pieces(cuts in proptest::collection::btree_set(1..FORM.len(), 0..FORM.len())) {
        let ends = cuts.iter().copied().chain([FORM.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces = starts.zip(ends).map(|(from, to)| Bytes::from_static(&FORM.as_bytes()[from..to]));
        let (fields, filename, file) = read_pieces(pieces.collect()).unwrap();
        let (whole_fields, whole_name, whole_file) = read_text(FORM).unwrap();
        prop_assert_eq!((fields, filename, file.concat()), (whole_fields, whole_name, whole_file.into_bytes()));
        prop_assert!(file.iter().all(|piece| !piece.is_empty()));
    }

    #[test]
    fn a_file_of_any_bytes_comes_through(
        file in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'a')], 0..200),
        size in 1_usize..20,
    ) {
        let whole = [FORM.split("one").next().unwrap().as_bytes(), &file, b"\r\n--b--"].concat();
        let pieces = whole.chunks(size).map(Bytes::copy_from_slice).collect();
        prop_assert_eq!(read_pieces(pieces).unwrap().2.concat(), file);
    }
}
