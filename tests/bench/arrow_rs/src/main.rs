// SPDX-License-Identifier: Apache-2.0
//! The main job by arrow-rs: JSON lines of posts through the pin rules to eleven typed columns in one Parquet file, on one thread.
//! arrow_rs_peer INPUT OUTPUT [zstd|snappy|none]
//!
//! As a good user of the crates would write it: the schema is known, the reader is read batch by batch, nulls are masks over shared
//! bytes, and the writer has its own defaults but for the codec. It trusts its input: there are no dead letters here.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use arrow_array::builder::{BooleanBufferBuilder, Int32Builder, StringBuilder};
use arrow_array::{cast::AsArray, Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_json::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::nullif::nullif;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

const TEXTS: [&str; 9] = [
    "unique_id", "title", "description", "poster_name", "tag_list", "is_image_or_video", "image_src", "save_location", "category",
];

fn markers(column: &str) -> &'static [&'static str] {
    match column {
        "title" => &["", "No Title Data Available"],
        "description" => &["", "No description available Story format", "No description available"],
        "poster_name" | "follower_count" => &["", "User Info Error"],
        "image_src" => &["", "Image src error."],
        "tag_list" => &["", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"],
        _ => &[""],
    }
}

fn input_schema() -> Schema {
    let mut fields = vec![Field::new("index", DataType::Int32, false), Field::new("follower_count", DataType::Utf8, true)];
    fields.extend(TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true)));
    Schema::new(fields)
}

fn output_schema() -> Schema {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Schema::new(vec![
        Field::new("ind", DataType::Int32, false),
        text("unique_id"), text("title"), text("description"),
        Field::new("follower_count", DataType::Int32, true),
        text("poster_name"), text("tag_list"), text("is_image_or_video"), text("image_src"), text("save_location"), text("category"),
    ])
}

/// The column with its markers null, sharing the bytes.
fn without_markers(column: &StringArray, name: &str) -> Result<ArrayRef, Box<dyn Error>> {
    let markers = markers(name);
    let mut hits = BooleanBufferBuilder::new(column.len());
    let offsets = column.value_offsets();
    let bytes = column.value_data();
    for o in offsets.windows(2) {
        let length = (o[1] - o[0]) as usize;
        hits.append(markers.iter().any(|m| m.len() == length && m.as_bytes() == &bytes[o[0] as usize..o[1] as usize]));
    }
    Ok(nullif(column, &BooleanArray::new(hits.finish(), None))?)
}

/// digits, perhaps a point and digits, perhaps k, M or B; white space around it ignored, what is left of a fraction cut.
fn followers(text: &str) -> Option<i32> {
    let text = text.trim();
    let (number, power) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 3),
        b'M' => (&text[..text.len() - 1], 6),
        b'B' => (&text[..text.len() - 1], 9),
        _ => (text, 0),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    if whole.is_empty() || !number.bytes().all(|c| c.is_ascii_digit() || c == b'.') || fraction.contains('.') {
        return None;
    }
    let mut value: i64 = whole.parse().ok().filter(|v| *v <= i32::MAX as i64)?;
    for place in 0..power {
        value = value * 10 + fraction.as_bytes().get(place).map_or(0, |c| (c - b'0') as i64);
    }
    i32::try_from(value).ok()
}

fn clean(batch: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch, Box<dyn Error>> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name().as_str();
        columns.push(match name {
            "ind" => batch.column_by_name("index").ok_or("no index")?.clone(),
            "follower_count" => {
                let texts = batch.column_by_name(name).ok_or(name)?.as_string::<i32>();
                let mut numbers = Int32Builder::with_capacity(texts.len());
                for text in texts {
                    numbers.append_option(text.and_then(followers));
                }
                Arc::new(numbers.finish())
            }
            "save_location" => {
                let texts = batch.column_by_name(name).ok_or(name)?.as_string::<i32>();
                let mut places = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
                for text in texts {
                    places.append_option(text.map(|t| t.strip_prefix("Local save in ").unwrap_or(t)).filter(|t| !t.is_empty()));
                }
                Arc::new(places.finish())
            }
            _ => without_markers(batch.column_by_name(name).ok_or(name)?.as_string(), name)?,
        });
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    if args.len() < 3 {
        return Err("usage: arrow_rs_peer INPUT OUTPUT [zstd|snappy|none]".into());
    }
    let codec = match args.get(3).map(String::as_str) {
        None | Some("zstd") => Compression::ZSTD(ZstdLevel::try_new(1)?),
        Some("snappy") => Compression::SNAPPY,
        Some("none") => Compression::UNCOMPRESSED,
        Some(other) => return Err(format!("no codec {other}").into()),
    };
    let input = BufReader::with_capacity(1 << 20, File::open(&args[1])?);
    let reader = ReaderBuilder::new(Arc::new(input_schema())).with_batch_size(8192).build(input)?;
    let schema = Arc::new(output_schema());
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = ArrowWriter::try_new(File::create(&args[2])?, schema.clone(), Some(properties))?;
    for batch in reader {
        writer.write(&clean(&batch?, &schema)?)?;
    }
    writer.close()?;
    Ok(())
}
