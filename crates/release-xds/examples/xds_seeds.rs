//! Writes the seeds of the fuzz target `xds_control` to `fuzz/seeds/`:
//! `cargo run -p release-xds --features testkit --example xds_seeds`.

use release_xds::testkit::scripts;
use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/xds_control");
    fs::remove_dir_all(&folder)?;
    fs::create_dir(&folder)?;
    scripts().iter().try_for_each(|script| fs::write(folder.join(script.name), &script.bytes))
}
