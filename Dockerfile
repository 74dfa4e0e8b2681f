# The Worker in workerd, from the package: scripts/package, then docker compose up --build
FROM node:22-slim
WORKDIR /srv
COPY dist/hogflare-*.tgz ./hogflare.tgz
RUN npm init -y >/dev/null && npm install --no-audit --no-fund ./hogflare.tgz
RUN cp node_modules/hogflare/wrangler.toml.example wrangler.toml && node node_modules/hogflare/scripts/lib/assets.mjs assets
EXPOSE 8787
ENV WRANGLER_SEND_METRICS=false
CMD ["node_modules/.bin/wrangler", "dev", "--ip", "0.0.0.0", "--port", "8787", "--persist-to", "/data"]
