//! `trueup schema`: the JSON Schema of the files people write.

use super::Exit;
use crate::{app::config::Server, formats::trueup_yaml::Repository};

/// Prints the JSON Schema of a file, for editors and linters.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  trueup schema > trueup.schema.json            for trueup.yaml
  trueup schema server > server.schema.json     for server.yaml

Editors with a YAML language server read a first line such as `# yaml-language-server: $schema=trueup.schema.json`.")]
pub struct SchemaArgs {
    /// Which file.
    #[arg(value_enum, default_value_t)]
    pub file: File,
}

/// The files people write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum File {
    /// `trueup.yaml`, at the root of a governed repository.
    #[default]
    Trueup,
    /// `server.yaml`, on the server.
    Server,
}

/// The schema of a file.
pub fn schema(file: File) -> schemars::Schema {
    match file {
        File::Trueup => schemars::schema_for!(Repository),
        File::Server => schemars::schema_for!(Server),
    }
}

pub fn run(args: &SchemaArgs) -> anyhow::Result<Exit> {
    println!("{}", serde_json::to_string_pretty(&schema(args.file))?);
    Ok(Exit::Ok)
}
