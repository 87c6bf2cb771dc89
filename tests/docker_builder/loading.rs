//! Images of the store in an engine: by its own `docker load` API, streamed.

use std::io::{self, Read};

use imgraph::build::builder::{BuildError, Builder};
use imgraph::oci::blob_digest::{BlobDigest, DiffId};
use imgraph::oci::compressed_layers::CompressedLayers;
use imgraph::oci::export::archive;
use imgraph::oci::export::exported::{Exported, Outgoing};
use imgraph::oci::image::{LayerBlob, write_image};
use imgraph::oci::image_config::ImageConfig;
use imgraph::oci::layers::compression::Compression;
use imgraph::oci::store::Store;
use imgraph::types::cancellation::Cancellation;

use crate::support::{Engine, unique};

struct House {
    folder: tempfile::TempDir,
    store: Store,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("oci")).unwrap();
    House { folder, store }
}

impl House {
    /// A layer with one file.
    fn layer(&self, name: &str, content: &mut dyn Read, size: u64) -> LayerBlob {
        let mut archive = tar::Builder::new(self.store.writer().unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(size);
        archive.append_data(&mut header, name, content).unwrap();
        let blob = archive.into_inner().unwrap().finish().unwrap();
        let (digest, size) = (blob.digest, blob.size);
        LayerBlob { digest, size, diff_id: DiffId(digest), compression: Compression::None }
    }

    fn image(&self, engine: &Engine, layers: &[LayerBlob]) -> BlobDigest {
        let platform = engine.builder.platform();
        let mut config = ImageConfig {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            ..ImageConfig::default()
        };
        config.config.env = Some(vec!["MADE_BY=store".to_owned()]);
        config.config.cmd = Some(vec!["/one".to_owned()]);
        write_image(&self.store, &config, layers).unwrap()
    }

    fn exported(
        &self,
        engine: &Engine,
        digest: BlobDigest,
        name: &str,
        form: Option<Compression>,
    ) -> Exported {
        let compressed = CompressedLayers::new(&self.folder.path().join("compressed"));
        let names = [name.parse().unwrap()];
        let outgoing = Outgoing { digest, platform: engine.builder.platform(), names: &names };
        Exported::of(&self.store, &compressed, &outgoing, form).unwrap()
    }

    fn load(&self, engine: &Engine, exported: Exported) -> Result<(), BuildError> {
        let images = [exported];
        engine
            .builder
            .load(|writer| archive::write(&self.store, &images, true, writer), &Cancellation::default())
    }
}

pub(crate) fn images_of_the_store_are_loaded_in_every_form(engine: &Engine) {
    for form in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
        let house = house();
        let name = unique("loaded");
        let one = house.layer("one", &mut name.as_bytes(), name.len() as u64);
        let two = house.layer("two", &mut &b"2"[..], 1);
        let digest = house.image(engine, &[one, two]);
        house.load(engine, house.exported(engine, digest, &name, form)).unwrap();
        assert!(engine.builder.inventory().unwrap().references.contains_key(&name), "{form:?}");
        let image = engine.api(async |api| api.inspect_image(&name).await.unwrap());
        let config = image.config.unwrap();
        assert_eq!(config.env, Some(vec!["MADE_BY=store".to_owned()]));
        assert_eq!(image.root_fs.unwrap().layers.unwrap().len(), 2);
        assert!(engine.look(&name, "cat /image/one /image/two").contains(&format!("{name}2")), "{form:?}");
    }
}

pub(crate) fn a_large_image_is_streamed(engine: &Engine) {
    let house = house();
    let name = unique("large");
    let size = 300 << 20;
    let layer = house.layer("zeros", &mut io::repeat(0).take(size), size);
    let digest = house.image(engine, &[layer]);
    house.load(engine, house.exported(engine, digest, &name, None)).unwrap();
    assert!(engine.look(&name, "stat -c %s /image/zeros").contains(&size.to_string()));
}

pub(crate) fn a_damaged_blob_is_not_loaded(engine: &Engine) {
    let house = house();
    let name = unique("damaged");
    let layer = house.layer("one", &mut &b"good"[..], 4);
    let digest = house.image(engine, &[layer]);
    let exported = house.exported(engine, digest, &name, None);
    let path = house.store.folder().join("blobs/sha256").join(layer.digest.hex());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[512] = b'b';
    std::fs::write(&path, bytes).unwrap();
    let error = house.load(engine, exported).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert!(!engine.builder.inventory().unwrap().references.contains_key(&name));
}

pub(crate) fn what_is_no_archive_is_refused_by_the_engine(engine: &Engine) {
    let error = engine
        .builder
        .load(|writer| writer.write_all(&[b'x'; 100_000]), &Cancellation::default())
        .unwrap_err();
    assert!(error.to_string().contains("does not load the images"), "{error}");
}

pub(crate) fn loading_can_be_cancelled(engine: &Engine) {
    let cancellation = Cancellation::default();
    let cancelled = cancellation.clone();
    let error = engine.builder.load(
        move |writer| {
            cancelled.cancel();
            io::copy(&mut io::repeat(0), writer).map(drop)
        },
        &cancellation,
    );
    assert!(matches!(error, Err(BuildError::Cancelled)), "{error:?}");
}
