# For `video`, `image` and `batch` on a server: no window, no camera, no system libraries.
#   docker build -t toonfilter .
#   docker run --rm --network none -v "$PWD:/work" toonfilter video lecture.mp4 -o lecture-cartoon.mp4
#   docker run --rm --network none -v "$PWD:/work" toonfilter batch recordings/ -o cartoons/
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir "uv<1"
WORKDIR /source
COPY . .
RUN uv venv /opt/toonfilter \
    && uv pip install --python /opt/toonfilter/bin/python --constraint requirements.lock . \
    && /opt/toonfilter/bin/toonfilter models verify

FROM python:3.13-slim
COPY --from=build /opt/toonfilter /opt/toonfilter
RUN useradd --create-home filter
USER filter
WORKDIR /work
ENTRYPOINT ["/opt/toonfilter/bin/toonfilter"]
CMD ["--help"]
