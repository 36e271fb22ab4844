# The broker, its worker and its tools in one image; what it runs is the command: docs/deploy.md.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# The image's own Debian decides which binutils: it strips, and stays behind.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/server.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/ainp \
 && pip --python /opt/ainp/bin/python install --no-compile --require-hashes --requirement requirements/server.txt \
 && pip install --require-hashes --requirement requirements/build.txt
COPY deploy/docker/slim.sh deploy/docker/slim.sh
RUN sh deploy/docker/slim.sh /opt/ainp/lib/python3.11/site-packages
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && pip --python /opt/ainp/bin/python install --no-compile --no-deps wheels/*.whl \
 && /opt/ainp/bin/python -c "import ainp.cli.serve, ainp.cli.process, ainp.cli.migrate, ainp.adapters.redis_buckets, httpx, numpy, tokenizers"

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 ainp \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ainp \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/ainp
COPY --from=build /opt/ainp /opt/ainp
ENV PATH=/opt/ainp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AINP_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080
WORKDIR /var/lib/ainp
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=4)"]
CMD ["ainp", "serve"]
