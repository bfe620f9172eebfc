// The errors that the host side shows (RS40xx).

import { defineError, type ErrorKind } from "@ripstop/core";

/** Nothing answers on the mesh home's API socket. */
export const controlUnreachable: ErrorKind = defineError({
  code: "RS4001",
  name: "control_unreachable",
  status: 503,
  grpcStatus: 14,
  title: "The control plane does not answer",
  cause: "No control plane runs for this mesh home, or it is starting, or the home belongs to another user.",
  remedy:
    "Start one with `ripstop up` (or `ripstop control`), or point --home / RIPSTOP_HOME at the home of the one that runs.",
});

/** The control plane refused the registration. */
export const registrationRefused: ErrorKind = defineError({
  code: "RS4002",
  name: "registration_refused",
  status: 422,
  grpcStatus: 9,
  title: "The control plane refused to register this workload",
  cause: "A name, label or port of the workload is not valid, or its identity may not be issued.",
  remedy: "Correct what the message names and run the command again.",
});

/** The command does not exist. */
export const commandNotFound: ErrorKind = defineError({
  code: "RS4003",
  name: "command_not_found",
  status: 500,
  grpcStatus: 5,
  title: "The command to run was not found",
  cause: "The program after `--` is misspelt, or not in PATH.",
  remedy: "Check the spelling, or give the path of the program.",
});

/** The command exists but cannot be started. */
export const commandNotExecutable: ErrorKind = defineError({
  code: "RS4004",
  name: "command_not_executable",
  status: 500,
  grpcStatus: 7,
  title: "The command to run could not be started",
  cause: "The file is not executable, or its format is not one that this machine runs.",
  remedy: "Make it executable with `chmod +x`, or name its interpreter, for example `node FILE`.",
});

/** The proxy process ends again and again. */
export const proxyFailed: ErrorKind = defineError({
  code: "RS4005",
  name: "proxy_failed",
  status: 503,
  grpcStatus: 14,
  title: "The proxy of this workload does not start",
  cause: "Its messages above say why; often a limit on memory, processes or open files.",
  remedy: "Correct the cause that the proxy names and run the command again.",
});

/** The first config did not arrive in time. */
export const configNotReceived: ErrorKind = defineError({
  code: "RS4006",
  name: "config_not_received",
  status: 503,
  grpcStatus: 14,
  title: "The proxy did not get its first complete config in time",
  cause: "The control plane went away, or its stream address cannot be reached from here.",
  remedy: "Look at `ripstop status`, or give --wait-timeout more time.",
});

/** The mesh home cannot be used. */
export const homeUnusable: ErrorKind = defineError({
  code: "RS4007",
  name: "home_unusable",
  status: 500,
  grpcStatus: 9,
  title: "The mesh home cannot be used",
  cause: "The directory cannot be written, or its path is too long for a Unix socket (107 bytes).",
  remedy: "Choose another directory with --home or RIPSTOP_HOME.",
});

/** The Workload API's socket cannot be opened. */
export const workloadApiNotListening: ErrorKind = defineError({
  code: "RS4030",
  name: "workload_api_not_listening",
  status: 500,
  grpcStatus: 9,
  title: "The socket of the SPIFFE Workload API cannot be opened",
  cause: "Its folder cannot be written, or its path is too long for a Unix socket (107 bytes).",
  remedy: "Choose another folder, or a shorter path.",
});
