# Built by compose/compose.yaml, or: docker build --tag trailwarden:0.1.0 .
# Everything comes from the lock files, by hash; nothing is compiled.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN python -m venv /opt/trailwarden \
 && /opt/trailwarden/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements/runtime.lock
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY ingest ingest
COPY models models
COPY detectors detectors
COPY sinks sinks
COPY worker worker
COPY trailwarden trailwarden
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/trailwarden/bin/python -m pip install --no-deps --no-index --find-links dist trailwarden \
 && /opt/trailwarden/bin/python -m pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 trailwarden \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin trailwarden \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/trailwarden /var/spool/trailwarden
COPY --from=build /opt/trailwarden /opt/trailwarden
ENV PATH=/opt/trailwarden/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/trailwarden
EXPOSE 8443 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["trailwarden"]
CMD ["--help"]
