# One recipe for every image: docker build --build-arg SERVICE=ingest -t oimon-ingest .
FROM python:3.11-slim-bookworm AS build
ARG SERVICE
WORKDIR /src
COPY services/${SERVICE}/requirements.txt requirements.txt
RUN python -m venv /opt/oi \
 && /opt/oi/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY shared shared
COPY services/${SERVICE} service
RUN /opt/oi/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation ./shared ./service

FROM python:3.11-slim-bookworm
ARG SERVICE
RUN useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin oimon
COPY --from=build /opt/oi /opt/oi
ENV PATH=/opt/oi/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data HTTP_HOST=0.0.0.0 SERVICE=${SERVICE}
USER oimon
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=6 CMD ["oi-health"]
CMD ["sh", "-c", "exec oi run $SERVICE"]
