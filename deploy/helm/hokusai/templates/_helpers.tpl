{{- define "hokusai.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "hokusai.labels" -}}
app.kubernetes.io/part-of: hokusai
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* component: the labels that select its pods */ -}}
{{- define "hokusai.selector" -}}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "hokusai.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* One value for both: the portal sends its host and port, and MLflow accepts no other. */ -}}
{{- define "hokusai.mlflowUrl" -}}http://{{ include "hokusai.name" . }}-mlflow:5000{{- end }}

{{- define "hokusai.destination" -}}{{ required "artifacts.destination: s3://bucket/prefix" .Values.artifacts.destination }}{{- end }}

{{- define "hokusai.host" -}}{{ (urlParse (required "publicUrl: https://registry.example.org" .Values.publicUrl)).hostname }}{{- end }}

{{- /* without its port; empty where the interface has no host of its own */ -}}
{{- define "hokusai.uiHost" -}}
{{- $host := regexReplaceAll ":.*" .Values.uiHost "" | lower -}}
{{- if eq $host (include "hokusai.host" . | lower) }}{{ fail "uiHost: the host of publicUrl; give the interface a name of its own" }}{{ end -}}
{{- $host -}}
{{- end }}

{{- define "hokusai.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "hokusai.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "hokusai.portalEnvironment" -}}
envFrom:
  - secretRef: {name: {{ required "portal.secretName: the Secret that holds the portal's secrets" .Values.portal.secretName }}}
env:
  - {name: HOKUSAI_ENVIRONMENT, value: production}
  - {name: HOKUSAI_PUBLIC_URL, value: {{ required "publicUrl: https://registry.example.org" .Values.publicUrl | quote }}}
  {{- if include "hokusai.uiHost" . }}
  - {name: HOKUSAI_UI_HOST, value: {{ .Values.uiHost | quote }}}
  {{- end }}
  - {name: HOKUSAI_DRAIN_SECONDS, value: {{ .Values.portal.drainSeconds | quote }}}
  - {name: HOKUSAI_TRUSTED_PROXIES, value: {{ join "," .Values.trustedProxies | quote }}}
  - {name: MLFLOW_SERVER_URL, value: {{ include "hokusai.mlflowUrl" . | quote }}}
  - {name: HOKUSAI_ARTIFACT_DESTINATION, value: {{ include "hokusai.destination" . | quote }}}
  - {name: AWS_DEFAULT_REGION, value: {{ .Values.artifacts.region | quote }}}
  {{- with .Values.artifacts.endpointUrl }}
  - {name: HOKUSAI_S3_ENDPOINT_URL, value: {{ . | quote }}}
  {{- end }}
  {{- range $name, $value := .Values.portal.environment }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- end }}

{{- define "hokusai.mlflowEnvironment" -}}
envFrom:
  - secretRef: {name: {{ required "mlflow.secretName: the Secret that holds MLflow's secrets" .Values.mlflow.secretName }}}
env:
  - {name: HOKUSAI_ENVIRONMENT, value: production}
  {{- with .Values.mlflow.backendStoreUri }}
  - {name: BACKEND_STORE_URI, value: {{ . | quote }}}
  {{- end }}
  - {name: DEFAULT_ARTIFACT_ROOT, value: {{ include "hokusai.destination" . | quote }}}
  - {name: MLFLOW_SERVER_URL, value: {{ include "hokusai.mlflowUrl" . | quote }}}
  - {name: AWS_DEFAULT_REGION, value: {{ .Values.artifacts.region | quote }}}
  {{- with .Values.artifacts.endpointUrl }}
  - {name: MLFLOW_S3_ENDPOINT_URL, value: {{ . | quote }}}
  {{- end }}
  {{- range $name, $value := .Values.mlflow.environment }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- end }}
