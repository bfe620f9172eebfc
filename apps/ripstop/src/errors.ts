// The errors of the command line (RS41xx).

import { defineError, type ErrorKind } from "@ripstop/core";

/** A file to apply cannot be read. */
export const fileUnreadable: ErrorKind = defineError({
  code: "RS4101",
  name: "file_unreadable",
  status: 400,
  grpcStatus: 3,
  title: "A file could not be read",
  cause: "It does not exist, or this user may not read it, or a directory has no .yaml, .yml or .json file.",
  remedy: "Check the path.",
});

/** The demo shop's files are not there. */
export const shopMissing: ErrorKind = defineError({
  code: "RS4102",
  name: "shop_missing",
  status: 404,
  grpcStatus: 5,
  title: "The demo shop is not here",
  cause: "The shop is part of the repository, not of the package.",
  remedy: "Run `npm start` in a clone of the repository, or give the folder: `ripstop up --shop DIR`.",
});

/** A proxy is started by hand without its state directory, or with one that is not complete. */
export const stateDirectoryInvalid: ErrorKind = defineError({
  code: "RS4103",
  name: "state_directory_invalid",
  status: 400,
  grpcStatus: 9,
  title: "The proxy's state directory cannot be used",
  cause: "The proxy was started by hand; `ripstop run` makes the directory and starts the proxy.",
  remedy: "Use `ripstop run`, or give --state-dir the directory that it made.",
});

/** The options for joining do not fit together, or a file that they name cannot be used. */
export const joinOptionsInvalid: ErrorKind = defineError({
  code: "RS4120",
  name: "join_options_invalid",
  status: 400,
  grpcStatus: 3,
  title: "The options for joining cannot be used",
  cause: "One is missing, two exclude each other, or a file that they name cannot be read.",
  remedy:
    "Give --join HOST:PORT with --token-file FILE (from `ripstop token create`), or with --jwt-file and --trust-bundle.",
});

/** A file cannot be written, or is there already. */
export const fileUnwritable: ErrorKind = defineError({
  code: "RS4150",
  name: "file_unwritable",
  status: 409,
  grpcStatus: 9,
  title: "A file could not be written",
  cause: "It is there already, or this user may not write in its folder, or the disk is full.",
  remedy: "Choose another folder with --out, or replace the files with --force.",
});

/** A login to a control plane on another host cannot be used. */
export const loginInvalid: ErrorKind = defineError({
  code: "RS4104",
  name: "login_invalid",
  status: 400,
  grpcStatus: 3,
  title: "The control plane to log in to is not named in full",
  cause: "The address, the token or a file that is named is missing or cannot be read.",
  remedy: "Use `ripstop login --server HOST:PORT --token-file FILE`, or set RIPSTOP_SERVER and RIPSTOP_TOKEN.",
});

/** The options for a backup do not fit. */
export const backupOptionsInvalid: ErrorKind = defineError({
  code: "RS4105",
  name: "backup_options_invalid",
  status: 400,
  grpcStatus: 3,
  title: "The backup cannot be written or read like this",
  cause: "The file is there already, cannot be read, or the passphrase for the keys is missing.",
  remedy: "Choose another file, or give --passphrase-file when the backup has keys.",
});

/** A kind or field that no schema has. */
export const nothingToExplain: ErrorKind = defineError({
  code: "RS4106",
  name: "nothing_to_explain",
  status: 404,
  grpcStatus: 5,
  title: "There is no such kind or field",
  cause: "It is mistyped, or of another version.",
  remedy: "`ripstop explain` lists the kinds, `ripstop explain KIND` its fields.",
});

/** The API of a control plane on another host does not answer. */
export const remoteUnreachable: ErrorKind = defineError({
  code: "RS4107",
  name: "remote_unreachable",
  status: 503,
  grpcStatus: 14,
  title: "The control plane on the other host does not answer",
  cause: "The address is wrong, a firewall is between, nothing runs there, or its certificate is not believed.",
  remedy: "Check --server and --ca of `ripstop login`, or RIPSTOP_SERVER and RIPSTOP_CA_FILE.",
});

/** The configuration of the control plane is wrong. */
export const controlConfigInvalid: ErrorKind = defineError({
  code: "RS4108",
  name: "control_config_invalid",
  status: 400,
  grpcStatus: 3,
  title: "The configuration of the control plane is not valid",
  cause: "A flag, an environment variable or the file has a value that does not fit.",
  remedy: "Correct what is named; `ripstop control --print-config` shows what holds and where it comes from.",
});

/** `ripstop fault stop` without names, or with names and --all. */
export const faultsNotNamed: ErrorKind = defineError({
  code: "RS4125",
  name: "faults_not_named",
  status: 400,
  grpcStatus: 3,
  title: "It is not clear which faults are to be ended",
  cause: "The command ends the FaultInjections that it names, or all of them.",
  remedy: "Name them (`ripstop fault list` shows them), or give --all.",
});
