//! Large layers: what goes through is never held whole.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use serde_json::json;

use crate::chance::Chance;
use crate::layout::{GZIP, Hashed, Layout};
use crate::place::{Place, succeeded};
use crate::{count, peak};

/// In KiB.
const MOST: u64 = 96 << 10;

/// Writes so many MiB that no compressor makes much smaller.
fn fill(writer: &mut dyn Write, mebibytes: u64) {
    let mut block = Chance::new(3).bytes(1 << 20);
    for number in 0..mebibytes {
        block[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_all(&block).unwrap();
    }
}

/// Writes an archive with one file of so many MiB.
fn archive(writer: &mut dyn Write, mebibytes: u64) {
    let mut header = tar::Header::new_gnu();
    header.set_path("large").unwrap();
    header.set_size(mebibytes << 20);
    header.set_mode(0o644);
    header.set_cksum();
    writer.write_all(header.as_bytes()).unwrap();
    fill(writer, mebibytes);
    writer.write_all(&[0; 1024]).unwrap();
}

/// A layout of an image with one layer, compressed.
fn large_base(place: &Place, mebibytes: u64) {
    let layout = Layout::new(&place.folder().join("large"));
    let mut diff_id = String::new();
    let layer = layout.blob(GZIP, |file| {
        let mut tar = Hashed::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        archive(&mut tar, mebibytes);
        diff_id = tar.finish().0;
    });
    layout.image(&[layer], &[diff_id]);
}

#[test]
fn large_layers_take_little_memory() {
    let mebibytes = count("IMGRAPH_LAYER_MIB", 96);
    let place = Place::new();
    large_base(&place, mebibytes);
    place.write("context/small", "small");
    fill(&mut BufWriter::new(File::create(place.workspace().join("context/big")).unwrap()), mebibytes);
    archive(&mut File::create(place.workspace().join("context/big.tar")).unwrap(), mebibytes);
    let dockerfiles = [
        ("copied", "FROM scratch\nCOPY big /big\n".to_owned()),
        ("added", "FROM scratch\nADD big.tar /\n".to_owned()),
        ("made", format!("FROM busybox:1.36\nRUN head -c {} /dev/urandom >/big\n", mebibytes << 20)),
        ("based", "FROM large\nCOPY small /small\n".to_owned()),
        ("unpacked", "FROM large\nCOPY --from=busybox:1.36 /bin /bin\nRUN touch /large\n".to_owned()),
        ("taken", "FROM scratch\nCOPY --from=large /large /large\n".to_owned()),
    ];
    let mut file = "[workspace]\nname = \"proof\"\n".to_owned();
    for (name, dockerfile) in &dockerfiles {
        file += &format!("[image.{name}]\ncontext = \"context\"\ndockerfile = \"{name}.Dockerfile\"\n");
        place.write(&format!("{name}.Dockerfile"), dockerfile);
    }
    place.write("BUILD.toml", file);
    let mut found = Vec::new();
    let mut trial = |name: &str, words: &[&str]| {
        let (output, most) = peak::run(&mut place.imgraph(words));
        succeeded(&output);
        found.push(json!({"what": name, "mebibytes": most >> 10}));
        assert!(most < MOST, "{name}: {most} KiB");
    };
    let large = place.folder().join("large");
    trial("load of a base", &["cache", "load", large.to_str().unwrap(), "--as", "large"]);
    for (name, _) in &dockerfiles {
        trial(name, &["build", &format!("//:{name}")]);
    }
    for output in ["oci:out", "docker-tar:out.tar", "type=oci-tar,dest=out-2.tar,compression=zstd"] {
        trial(output, &["build", "//:copied", "--output", output]);
        let _ = fs::remove_file(place.workspace().join("out.tar"));
    }
    println!("{}", serde_json::Value::from(found));
}
