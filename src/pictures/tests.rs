//! What is taken, what is not, and what is made of it.

use std::io::Cursor;
use std::sync::LazyLock;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::check::{BYTES_MAX, Kind, Made, Refusal, make};
use super::name::{File, FileKind, Name};

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> DynamicImage {
    let colour = |x| if x < width / 2 { Rgb([200, 0, 0]) } else { Rgb([0, 0, 100]) };
    RgbImage::from_fn(width, height, |x, _| colour(x)).into()
}

fn of(format: ImageFormat) -> Vec<u8> {
    encoded(&flag(400, 300), format)
}

fn widths(made: &Made) -> Vec<u32> {
    made.files.iter().map(|(width, _)| *width).collect()
}

#[test]
fn each_kind_becomes_files_of_a_page_s_widths() {
    for (kind, format) in
        [(Kind::Jpeg, ImageFormat::Jpeg), (Kind::Png, ImageFormat::Png), (Kind::Webp, ImageFormat::WebP)]
    {
        let made = make(kind, &of(format)).unwrap();
        assert_eq!((made.name.width, made.name.height, made.name.kind), (400, 300, FileKind::Jpeg), "{kind:?}");
        assert_eq!(widths(&made), [160, 320, 400]);
        for (width, bytes) in &made.files {
            let file = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap();
            assert_eq!((file.width(), file.height()), (*width, made.name.height_at(*width)));
        }
        for (value, wanted) in made.name.colour.into_iter().zip([100_u8, 0, 50]) {
            assert!(value.abs_diff(wanted) <= 3, "{:?}", made.name.colour);
        }
    }
    let large = make(Kind::Jpeg, &encoded(&flag(1_500, 1_000), ImageFormat::Jpeg)).unwrap();
    assert_eq!((large.name.width, large.name.height), (960, 640));
    assert_eq!(widths(&large), [160, 320, 480, 960]);
}

#[test]
fn what_is_translucent_stays_so() {
    let mut picture = RgbaImage::from_pixel(200, 200, Rgba([0, 255, 0, 255]));
    assert_eq!(make(Kind::Png, &encoded(&picture.clone().into(), ImageFormat::Png)).unwrap().name.kind, FileKind::Jpeg);
    picture.put_pixel(100, 100, Rgba([255, 0, 0, 0]));
    let made = make(Kind::Png, &encoded(&picture.into(), ImageFormat::Png)).unwrap();
    assert_eq!(made.name.kind, FileKind::Webp);
    let widest = image::load_from_memory_with_format(&made.files[1].1, ImageFormat::WebP).unwrap();
    assert_eq!(widest.to_rgba8().get_pixel(100, 100).0[3], 0);
    let [red, green, blue] = made.name.colour;
    assert!(red < 5 && green > 250 && blue < 5, "of what can be seen: {}", made.name.colour_code());
}

#[test]
fn what_is_no_picture_is_refused() {
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";
    for bytes in [&svg[..], gif, b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9", b"RIFF\x04\0\0\0WEBP"] {
        for kind in [Kind::Jpeg, Kind::Png, Kind::Webp] {
            let refusal = make(kind, bytes).unwrap_err();
            assert!(matches!(refusal, Refusal::NotAPicture | Refusal::ContentTypeInvalid), "{bytes:?}: {refusal:?}");
        }
    }
    assert_eq!(
        make(Kind::Jpeg, &of(ImageFormat::Png)).unwrap_err(),
        Refusal::ContentTypeInvalid,
        "said to be another kind"
    );
    for (kind, format) in
        [(Kind::Jpeg, ImageFormat::Jpeg), (Kind::Png, ImageFormat::Png), (Kind::Webp, ImageFormat::WebP)]
    {
        let whole = of(format);
        assert!(make(kind, &whole[..whole.len() / 2]).is_err(), "half of a {kind:?}");
        let mut spoilt = whole.clone();
        let middle = spoilt.len() / 2;
        spoilt[middle..middle + 8].fill(0xff);
        // Only a PNG has checksums; damage in others may still be pixels. What is served was encoded anew.
        if kind == Kind::Png {
            assert!(make(kind, &spoilt).is_err(), "a damaged {kind:?}");
        }
    }
}

#[test]
fn what_has_something_behind_it_is_refused() {
    for (kind, format) in
        [(Kind::Jpeg, ImageFormat::Jpeg), (Kind::Png, ImageFormat::Png), (Kind::Webp, ImageFormat::WebP)]
    {
        for behind in [&b"PK\x03\x04 an archive"[..], b"<script>alert(1)</script>", b"\0\0"] {
            let both = [of(format), behind.to_vec()].concat();
            assert_eq!(make(kind, &both).unwrap_err(), Refusal::MoreThanAPicture, "{kind:?}");
        }
    }
}

#[test]
fn nothing_of_a_comment_is_kept() {
    let script = b"<script>alert(document.cookie)</script>";
    let plain = of(ImageFormat::Jpeg);
    // A comment right behind the start of the file.
    let size = u16::try_from(script.len() + 2).unwrap().to_be_bytes();
    let with = [&plain[..2], &[0xff, 0xfe], &size, script, &plain[2..]].concat();
    let made = make(Kind::Jpeg, &with).unwrap();
    for (_, bytes) in &made.files {
        assert!(!bytes.windows(7).any(|part| part == b"<script"));
    }
}

#[test]
fn sizes_have_limits() {
    let png = |width, height| make(Kind::Png, &encoded(&flag(width, height), ImageFormat::Png)).map(|made| made.name);
    assert!(png(16, 16).is_ok());
    assert!(png(64, 16).is_ok());
    for (width, height) in [(15, 16), (16, 15), (65, 16), (16, 65), (4_097, 2_000)] {
        assert_eq!(png(width, height).unwrap_err(), Refusal::SizeInvalid, "{width} × {height}");
    }
    // A file of some bytes that says to be huge: refused before anything is made room for.
    let mut bomb = of(ImageFormat::Png);
    bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    assert!(matches!(make(Kind::Png, &bomb).unwrap_err(), Refusal::SizeInvalid | Refusal::NotAPicture));
    let mut large = of(ImageFormat::Png);
    large.resize(BYTES_MAX + 1, 0);
    assert_eq!(make(Kind::Png, &large).unwrap_err(), Refusal::TooLarge);
    large.truncate(BYTES_MAX);
    assert_eq!(make(Kind::Png, &large).unwrap_err(), Refusal::MoreThanAPicture, "the size alone is right");
}

#[test]
fn a_file_of_a_camera_stands_upright() {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes).encode_image(&flag(400, 300)).unwrap();
    // Exif with one entry: the orientation, a quarter turn.
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let size = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let turned = [&bytes[..2], &[0xff, 0xe1], &size, exif, &bytes[2..]].concat();
    let made = make(Kind::Jpeg, &turned).unwrap();
    assert_eq!((made.name.width, made.name.height), (300, 400));
    let top = image::load_from_memory(&made.files[1].1).unwrap().to_rgb8();
    assert!(top.get_pixel(150, 20).0[0] > 150, "red is above");
}

#[test]
fn a_name_says_it_all_and_has_one_form() {
    let name = make(Kind::Png, &of(ImageFormat::Png)).unwrap().name;
    let url = name.widest().to_string();
    assert!(url.starts_with("/pictures/") && url.ends_with("/400.jpg"), "{url}");
    assert_eq!(Name::of_url(&url), Some(name));
    assert_eq!(url.parse(), Ok(name.widest()));
    assert_eq!(name.file(160).to_string().parse(), Ok(name.file(160)));
    assert_eq!(Name::of_url(&name.file(160).to_string()), None, "not the widest");
    assert_eq!(Name::of_stored(&name.stored()), Some(name));
    assert_eq!(Name::of_stored(&name.to_string()), None);
    assert!(name.addresses().any(|address| address == url));
    let digest = &url["/pictures/".len()..][..32];
    for wrong in [
        "/pictures/lamp.svg".to_owned(),
        format!("/pictures/{digest}-400x300-640032/161.jpg"),
        format!("/pictures/{digest}-400x300-640032/0160.jpg"),
        format!("/pictures/{digest}-400x300-640032/400.png"),
        format!("/pictures/{digest}-0x300-640032/0.jpg"),
        format!("/pictures/{digest}-400x0-640032/400.jpg"),
        format!("/pictures/{digest}-400x300-640032-1/400.jpg"),
        format!("/pictures/{digest}-+400x300-640032/400.jpg"),
        format!("/pictures/{}-400x300-640032/400.jpg", digest.to_uppercase()),
        format!("https://elsewhere.example{url}"),
    ] {
        let is_same = wrong == url;
        assert!(is_same || wrong.parse::<File>().is_err(), "{wrong}");
    }
}

static WHOLE: LazyLock<[Vec<u8>; 4]> =
    LazyLock::new(|| [of(ImageFormat::Jpeg), of(ImageFormat::Png), of(ImageFormat::WebP), Vec::new()]);

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..600), start in 0..4_usize) {
        let whole = &WHOLE[start];
        let spoilt = [&whole[..whole.len().min(300)], &bytes[..]].concat();
        for kind in [Kind::Jpeg, Kind::Png, Kind::Webp] {
            let _ = make(kind, &spoilt);
        }
        let _ = String::from_utf8_lossy(&bytes).parse::<File>();
    }
}
