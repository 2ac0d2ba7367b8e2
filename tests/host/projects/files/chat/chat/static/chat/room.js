"use strict";

const room = JSON.parse(document.querySelector("#room-name").textContent);
const log = document.querySelector("#chat-log");
const input = document.querySelector("#chat-message-input");
const chat = new WebSocket(`ws://${window.location.host}/ws/chat/${room}/`);

chat.addEventListener("open", () => {
  log.dataset.open = "yes";
});
chat.addEventListener("message", (event) => {
  log.value += `${JSON.parse(event.data).message}\n`;
});
document.querySelector("#chat-message-submit").addEventListener("click", () => {
  chat.send(JSON.stringify({ message: input.value }));
  input.value = "";
});
