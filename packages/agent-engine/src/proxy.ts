// The supervision of proxy processes alone, for a process that does nothing else.

export { supervisorPidFile } from "./mesh-home.ts";
export { ProxySupervisor, type HandOver, type ProxyEvents, type SupervisorSettings } from "./proxy-supervisor.ts";
