// L2: resource kinds, schema kit, violations.

export { bodyOf, redacted, shownDocument } from "./as-document.ts";
export { closest } from "./closest.ts";
export { coreKinds } from "./core-kinds.ts";
export { invalidResources } from "./errors.ts";
export { identityKinds } from "./identity-kinds.ts";
export { formatPath, isRecord, parsePath, type FieldPath } from "./field-path.ts";
export { KindRegistry, type KnownKind } from "./kind-registry.ts";
export type { JsonSchema, Kind, ResourceLookup } from "./kind.ts";
export {
  accessBindingKind,
  type AccessBindingSpec,
  type AccessRole,
  type AccessSubjectSpec,
} from "./kinds/access-binding/index.ts";
export { controlPlaneConfigKind, type ControlPlaneConfigSpec } from "./kinds/control-plane-config/index.ts";
export {
  endpointSourceKind,
  parseNameServer,
  type ConsulSpec,
  type DnsSrvSpec,
  type EndpointSourceSpec,
} from "./kinds/endpoint-source/index.ts";
export { loginIssuerKind, type LoginIssuerSpec } from "./kinds/login-issuer/index.ts";
export {
  federatedTrustDomainKind,
  type BundleEndpointSpec,
  type FederatedTrustDomainSpec,
} from "./kinds/federated-trust-domain/index.ts";
export {
  endpointSliceKind,
  SERVICE_NAME_LABEL,
  type EndpointSliceSpec,
  type SliceEndpointSpec,
  type SlicePortSpec,
} from "./kinds/endpoint-slice/index.ts";
export { configMapKind, type ConfigMapSpec } from "./kinds/config-map/index.ts";
export { secretKind, secretValue, type SecretSpec } from "./kinds/secret/index.ts";
export { namespaceKind, type NamespaceSpec } from "./kinds/namespace/index.ts";
export { serviceKind, type ServicePortSpec, type ServiceSpec } from "./kinds/service/index.ts";
export { meshKinds } from "./mesh-kinds.ts";
export { tokenIssuerKind, type TokenIssuerSpec } from "./kinds/token-issuer/index.ts";
export {
  RESERVED_NAMESPACE,
  workloadIdentityKind,
  type JwtSelectorSpec,
  type ProcessSelectorsSpec,
  type WorkloadIdentitySpec,
} from "./kinds/workload-identity/index.ts";
export {
  dnsLabelProblem,
  dnsSubdomainProblem,
  isDnsLabel,
  isDnsSubdomain,
  labelKeyProblem,
  labelValueProblem,
  quote,
  type NameProblem,
} from "./names.ts";
export { resourceKey, resourceName, type Metadata, type Resource } from "./resource.ts";
export { compileSchema, type SchemaChecker, type SchemaProblem } from "./schema.ts";
export { parseRule } from "./structural-rules.ts";
export { readSource, type SourceDocument, type SourceFile, type SourceLimits } from "./source-document.ts";
export {
  DEFAULT_NAMESPACE,
  label,
  validateAll,
  validateSteps,
  type ReadResource,
  type SourceText,
  type Validated,
} from "./validate-all.ts";
export type { SourcePosition, Violation } from "./violation.ts";
