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
