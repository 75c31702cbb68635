# The worker and the web of an installation that has its own PostgreSQL, Temporal and mail server.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/run.txt requirements/uv.txt requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/uv.txt \
    && uv venv /opt/duenotice \
    && uv pip install --no-cache --python /opt/duenotice/bin/python --require-hashes --requirements requirements/run.txt \
    # An installation's Temporal is a service of its own.
    && rm /opt/duenotice/bin/temporal
COPY . .
RUN uv pip install --no-cache --python /opt/duenotice/bin/python --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/duenotice duenotice
COPY --from=build /opt/duenotice /opt/duenotice
USER duenotice
WORKDIR /var/lib/duenotice
ENV PATH=/opt/duenotice/bin:$PATH DUENOTICE_ENVIRONMENT=production DUENOTICE_HOME=/var/lib/duenotice
ENTRYPOINT ["duenotice"]
