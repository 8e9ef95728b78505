# docker build -t polyphon . && docker run -p 127.0.0.1:8080:8080 -v polyphon:/var/lib/polyphon polyphon --allow-unauthenticated
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends git make
COPY . /src
RUN cd /src && make package

FROM debian:12-slim
COPY --from=build /src/build/package/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb python3-pip \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/*
RUN useradd --system --home-dir /var/lib/polyphon --create-home polyphon
USER polyphon
ENV POLYPHON_CACHE=/var/lib/polyphon
VOLUME /var/lib/polyphon
EXPOSE 8080
ENTRYPOINT ["sh", "-c", "polyphon models pull SmolLM2-135M && exec polyphon serve --host 0.0.0.0 --data-dir /var/lib/polyphon \"$@\"", "polyphon"]
