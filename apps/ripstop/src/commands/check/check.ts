// Asks the control plane and the file system, judges, prints.

import { meshHome, type ApiFailure, type ControlApi } from "@ripstop/agent-engine";
import { systemClock, type Result } from "@ripstop/core";
import type {
  AccessTokenView,
  AuditPage,
  ControlInfo,
  IdentityHealth,
  IdentityList,
  ProxyList,
  WorkloadView,
} from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { formatOutput } from "../../output/format.ts";
import { printable } from "../../output/table.ts";
import { ASK_ALL_MS } from "../../output/unknown-replicas.ts";
import { packageVersion } from "../../package-version.ts";
import { agoText } from "../identity/time-text.ts";
import { accessSection } from "./access-section.ts";
import { fine, problem, warning, type Finding, type Section } from "./finding.ts";
import { homeSection } from "./home-section.ts";
import { identitySection } from "./identity-section.ts";
import { proxySection } from "./proxy-section.ts";

/** What `-o json` prints. */
interface Report {
  readonly ok: boolean;
  readonly problems: number;
  readonly warnings: number;
  readonly sections: readonly Section[];
}

/** Checks and prints; the exit code: 1 when there is a problem. */
export async function check(options: HomeOption & OutputOption): Promise<number> {
  const sections = await lookAtAll(controlApi(options), meshHome(options.home, process.env).path);
  const count = (severity: Finding["severity"]): number =>
    sections.reduce((sum, { findings }) => sum + findings.filter((one) => one.severity === severity).length, 0);
  const problems = count("problem");
  const report: Report = { ok: problems === 0, problems, warnings: count("warning"), sections };
  process.stdout.write(await formatOutput(options.output, report, () => reportText(report)));
  return problems === 0 ? exitCodes.done : exitCodes.failed;
}

async function lookAtAll(api: ControlApi, home: string): Promise<readonly Section[]> {
  const [info, list, workloads, proxies, health, tokens, refusals] = await Promise.all([
    api.info(),
    api.call<IdentityList>("GET", "/v1/identity/identities"),
    api.call<{ readonly workloads: readonly WorkloadView[] }>("GET", "/v1/workloads"),
    api.call<ProxyList>("GET", "/v1/proxies", undefined, ASK_ALL_MS),
    api.call<IdentityHealth>("GET", "/v1/identity/health"),
    api.call<{ readonly tokens: readonly AccessTokenView[] }>("GET", "/v1/access/tokens"),
    api.call<AuditPage>("GET", "/v1/audit?refused=true&limit=100", undefined, ASK_ALL_MS),
  ]);
  const nowMs = systemClock.nowMs();
  const sections: Section[] = [controlSection(info, nowMs)];
  if (list.ok) sections.push(identitySection(list.value, health.ok ? health.value.alarms : [], nowMs));
  else if (info.ok) sections.push(unanswered("identity", list.error));
  if (workloads.ok && proxies.ok) sections.push(proxySection(workloads.value.workloads, proxies.value));
  // Only admins see it.
  if (tokens.ok && refusals.ok) sections.push(accessSection(tokens.value.tokens, refusals.value.entries, nowMs));
  sections.push(homeSection(home));
  return sections;
}

function controlSection(info: Result<ControlInfo, ApiFailure>, nowMs: number): Section {
  const name = "control plane";
  if (!info.ok) return unanswered(name, info.error);
  const { version, trustDomain, startedMs } = info.value;
  const findings = [fine(`it answers, for ${trustDomain}, and runs since ${agoText(startedMs, nowMs)}`)];
  if (version !== packageVersion) {
    findings.push(warning(`it is of version ${version}, this command of ${packageVersion}`, "use one version"));
  }
  return { name, findings };
}

function unanswered(name: string, { error }: ApiFailure): Section {
  return { name, findings: [problem(`${error.title} (${error.code}): ${error.message}`, error.remedy)] };
}

const MARKS: Readonly<Record<Finding["severity"], string>> = { ok: "ok     ", warning: "warning", problem: "PROBLEM" };

function reportText({ sections, problems, warnings }: Report): string {
  const blocks = sections.map(({ name, findings }) => {
    const lines = findings.map(({ severity, message, remedy }) => {
      const first = `  ${MARKS[severity]}  ${printable(message)}\n`;
      return remedy === "" ? first : `${first}           ${printable(remedy)}\n`;
    });
    return `${name}\n${lines.join("")}`;
  });
  const end =
    problems + warnings === 0
      ? "everything is in order\n"
      : `${problems} ${problems === 1 ? "problem" : "problems"}, ${warnings} ${warnings === 1 ? "warning" : "warnings"}\n`;
  return `${blocks.join("\n")}\n${end}`;
}
