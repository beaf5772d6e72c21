# The portal image. It serves by default; the same image migrates, and is the worker:
#   docker build -t hokusai-portal .
#   docker run hokusai-portal python manage.py migrate
#   docker run hokusai-portal python manage.py run_worker
# Deployers pin the base: --build-arg BASE=python:3.12-slim@sha256:...
ARG BASE=python:3.12-slim
FROM ${BASE} AS build

RUN python -m venv /opt/portal
ENV PATH=/opt/portal/bin:$PATH

# Alone in its layer: it changes with the lock file only. Wheels only: nothing downloaded runs here.
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir --only-binary=:all: --require-hashes --no-deps -r /tmp/requirements.txt

COPY manage.py /app/
COPY apikeys /app/apikeys
COPY hokusai_portal /app/hokusai_portal
COPY mlflow_proxy /app/mlflow_proxy
COPY templates /app/templates
WORKDIR /app
# Readable for everybody, whatever the umask of the machine that the files come from.
RUN HOKUSAI_DATA_DIR=/tmp/data HOKUSAI_STATIC_DIR=/app/static python manage.py collectstatic --noinput \
    && python -m compileall -q /app \
    && chmod -R a+rX /app

FROM ${BASE}
COPY --from=build /opt/portal /opt/portal
COPY --from=build /app /app

# The root may be read-only: the workers count in /tmp, and uploads do not rest here.
ENV PATH=/opt/portal/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOKUSAI_ENVIRONMENT=production \
    HOKUSAI_DATA_DIR=/tmp/portal \
    HOKUSAI_STATIC_DIR=/app/static \
    PORTAL_HOST=0.0.0.0
WORKDIR /app
# Writable for that user also where a platform mounts a folder of its own (ECS takes the rights from here).
VOLUME ["/tmp"]
USER 10001:10001
EXPOSE 8000

# Of the web server alone: switch it off where the image runs as the worker. The shell expands the variable.
# hadolint ignore=DL3025
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD python -c "import http.client as h; c = h.HTTPConnection('127.0.0.1', ${PORTAL_PORT:-8000}, timeout=4); c.request('GET', '/live'); raise SystemExit(c.getresponse().status != 200)"

CMD ["python", "-m", "gunicorn", "-c", "hokusai_portal/gunicorn.conf.py"]
