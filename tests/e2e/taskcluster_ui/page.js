// The part of Taskcluster's page that shows a log (its ui/src/components/Log), with what it asks of react-lazylog.

import { createElement } from "react";
import { render } from "react-dom";
import { LazyLog, ScrollFollow } from "react-lazylog";

const asked = new URLSearchParams(location.search);
const log = ({ follow }) =>
  createElement(LazyLog, {
    url: asked.get("url"),
    stream: asked.has("stream"),
    follow,
    enableSearch: true,
    caseInsensitive: true,
    selectableLines: true,
    extraLines: 5,
    onLoad: () => (document.title = "loaded"),
    onError: (error) => (document.title = `failed: ${error.status}`),
  });
const box = document.body.appendChild(document.createElement("div"));
box.style.height = "500px";
render(createElement(ScrollFollow, { startFollowing: true, render: log }), box);
