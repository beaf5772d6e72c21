"use strict";
// Shows the OpenAPI document; writes carry the session's CSRF token.
const operations = document.getElementById("rest-api");
SwaggerUIBundle({
  domNode: operations,
  url: operations.dataset.schema,
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  requestInterceptor(request) {
    request.headers["X-CSRFToken"] = operations.dataset.token;
    return request;
  },
});
